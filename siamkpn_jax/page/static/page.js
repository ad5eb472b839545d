// The page begins here: its parts listen from now on.

import * as api from './api.js';
import './playback.js';
import './sources.js';
import {here, say} from './state.js';

api.getJSON('/api/limits').then((found) => { here.limits = found; }).catch(
  (error) => say(error.message, true));
