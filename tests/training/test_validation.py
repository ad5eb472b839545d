"""Validation by tracking: the same scores as evaluation; best is kept."""

import json
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest

from siamkpn_jax.checkpoints import weights
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.synthetic import split_seed, write_otb
from siamkpn_jax.evaluation.formats.sequences import load_otb
from siamkpn_jax.evaluation.run.one_pass import run_one_pass
from siamkpn_jax.models.siamkpn import init_variables
from siamkpn_jax.tracking.load import load_tracker
from siamkpn_jax.tracking.one_target import OneTarget
from siamkpn_jax.training import trainer, validation
from siamkpn_jax.training.metrics import (
  AUC,
  LOG_NAME,
  PRECISION,
  SCORED,
  read_log,
)
from siamkpn_jax.training.validation import Validation
from tests.training.tiny import BlobSource, tiny_config


def validated_config(**settings):
  """Two short videos at every checkpoint, which are few steps apart."""
  config = tiny_config(
      train={'save_every': 2},
      validation={'sequences': 2, 'frames': 8, **settings})
  return config


def _model_and_variables(config):
  model = trainer.build_step(config).model
  return model, init_variables(model, 1)


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  """Workdir of a finished run."""
  workdir = tmp_path_factory.mktemp('run')
  trainer.train(validated_config(), workdir, [BlobSource()])
  return workdir


@pytest.mark.slow
def test_score_is_that_of_evaluation(run, tmp_path):
  """Of the last checkpoint, by the evaluation's own path."""
  logged = {row['step']: row for row in read_log(run / LOG_NAME)
            if AUC in row}
  assert list(logged) == [2, 4, 6]
  names = write_otb(tmp_path / 'videos', seed=split_seed('val', 0), count=2,
                    length=8)
  summary = run_one_pass(
      OneTarget(load_tracker(run, engine='jax')),
      load_otb(tmp_path / 'videos', names=names), tmp_path / 'results',
      progress=False)
  assert logged[6][AUC] == pytest.approx(summary['success_auc'], abs=1e-12)
  assert logged[6][PRECISION] == pytest.approx(
      summary['precision_20'], abs=1e-12)


@pytest.mark.slow
def test_best_and_last_are_kept(tmp_path, monkeypatch):
  """The best, here the first, is not among the newest; git's commit is kept."""
  scores = iter([0.5, 0.2, 0.4])
  monkeypatch.setattr(Validation, '__call__', lambda self, variables, stop: {
      AUC: next(scores), PRECISION: 0.1})
  config = validated_config().updated(train={'keep_checkpoints': 1})
  trainer.train(config, tmp_path, [BlobSource()])
  kept = sorted(int(p.name) for p in (tmp_path / 'checkpoints').iterdir())
  assert kept == [2, 6]
  assert weights.find_checkpoint(tmp_path).name == '6'
  assert 'success AUC 0.500 at step 2, kept as <code>checkpoints/2<' in (
      tmp_path / 'report.html').read_text()
  best = json.loads((tmp_path / 'checkpoints' / '2' /
                     '_CHECKPOINT_METADATA').read_text())
  assert len(best['custom_metadata']['git_revision']) >= 8


def test_given_sequences(tmp_path):
  """The first frames of the first sequences of a folder in OTB layout."""
  write_otb(tmp_path / 'otb', seed=split_seed('test', 3), count=3, length=5)
  config = validated_config(data=str(tmp_path / 'otb'), frames=4)
  model, variables = _model_and_variables(config)
  scored = []
  score = validation._score

  def spy(ended, video):
    scored.append((video.name, len(video)))
    return score(ended, video)

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(validation, '_score', spy)
    found = Validation(config, model, tmp_path)(variables)
  assert scored == [('synthetic_000', 4), ('synthetic_001', 4)]
  assert 0 < found[AUC] <= 1
  assert not (tmp_path / 'validation').exists()


def test_rendered_videos_beside_given_ones(tmp_path, monkeypatch):
  """Each group has the means of its own sequences."""
  write_otb(tmp_path / 'otb', seed=split_seed('test', 3), count=2, length=6)
  given = {'data': str(tmp_path / 'otb'), 'frames': 6}
  both = validated_config(rendered=3, **given)
  model, variables = _model_and_variables(both)
  # What an untrained network scores is the same for many videos.
  monkeypatch.setattr(validation, '_score', lambda ended, video: tuple(
      video.boxes_xywh[0, :2] / 1000))
  found = Validation(both, model, tmp_path)(variables)
  alone = Validation(validated_config(**given), model, tmp_path)(variables)
  rendered = Validation(validated_config(sequences=3, frames=6), model,
                        tmp_path)(variables)
  assert found == {**alone, SCORED: alone[SCORED] + 3,
                   'val_rendered_success_auc': rendered[AUC],
                   'val_rendered_precision_20': rendered[PRECISION]}
  assert alone[AUC] != rendered[AUC]


def test_weights_that_went_astray_score_nothing(tmp_path):
  """They do not end the run."""
  config = validated_config()
  model, variables = _model_and_variables(config)
  broken = jax.tree.map(lambda x: np.nan * x, variables)
  assert Validation(config, model, tmp_path)(broken) == {
      AUC: 0, PRECISION: 0, SCORED: config.validation.sequences}


def test_one_unreadable_sequence_does_not_spoil_the_others(tmp_path, capsys):
  """It is named once, and left out from then on."""
  bad, _ = sorted(write_otb(tmp_path / 'otb', seed=split_seed('test', 3),
                            count=2, length=3))
  config = validated_config(data=str(tmp_path / 'otb'), sequences=2)
  model, variables = _model_and_variables(config)
  image = tmp_path / 'otb' / bad / 'img' / '0002.jpg'
  image.write_bytes(image.read_bytes()[:100])
  both = Validation(config, model, tmp_path)
  first, second = both(variables), both(variables)
  told = capsys.readouterr().err
  assert told.count('no longer validated') == 1 and f'{bad}: ' in told
  shutil.rmtree(tmp_path / 'otb' / bad)
  alone = Validation(config.updated(validation={'sequences': 1}), model,
                     tmp_path)(variables)
  assert first == second == alone and alone[SCORED] == 1


@pytest.mark.slow
def test_unreadable_image_does_not_end_a_run(tmp_path, capsys):
  """It is said after the save; nothing is scored."""
  (name,) = write_otb(tmp_path / 'otb', seed=split_seed('test', 3), count=1,
                      length=3)
  image = tmp_path / 'otb' / name / 'img' / '0002.jpg'
  image.write_bytes(image.read_bytes()[:100])
  config = validated_config(data=str(tmp_path / 'otb')).updated(
      train={'epochs': 1})
  trainer.train(config, tmp_path / 'run', [BlobSource()])
  (line,) = {line for line in capsys.readouterr().err.splitlines()
             if 'validated' in line}
  assert line.startswith(f'no longer validated: {name}: ')
  assert '0002.jpg' in line
  assert not [row for row in read_log(tmp_path / 'run' / LOG_NAME)
              if AUC in row]
  assert sorted(p.name for p in (tmp_path / 'run' / 'checkpoints').iterdir()
                ) == ['2', '3']


def test_gives_up_when_asked_to(tmp_path):
  """Between two frames."""
  config = validated_config()
  model, variables = _model_and_variables(config)
  asked = iter([False] * 5 + [True])
  assert Validation(config, model, tmp_path)(
      variables, lambda: next(asked)) == {}
  assert next(asked, None) is None


def test_missing_folder_is_named_at_once(tmp_path):
  """Before anything is written."""
  config = validated_config(data=str(tmp_path / 'nowhere'))
  with pytest.raises(UserError, match=r'nowhere is not a folder; expected'):
    trainer.train(config, tmp_path / 'run', [BlobSource()])
  assert not (tmp_path / 'run').exists()


def test_interrupted_rendering_leaves_nothing(tmp_path, monkeypatch):
  """The folder of the videos appears whole or not at all."""
  def stop(root, **unused):
    Path(root, 'half').mkdir()
    raise KeyboardInterrupt

  config = validated_config()
  model, _ = _model_and_variables(config)
  with monkeypatch.context() as patch:
    patch.setattr(validation, 'write_otb', stop)
    with pytest.raises(KeyboardInterrupt):
      Validation(config, model, tmp_path)
  assert not list((tmp_path / 'validation').iterdir())
