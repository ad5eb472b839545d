"""XML of somebody else: without declarations of types, which can expand."""

from xml.etree import ElementTree


class _Builder(ElementTree.TreeBuilder):
  """Refuses a document before anything that it declares is used."""

  def doctype(self, name: str, public: str | None,
              system: str | None) -> None:
    raise ValueError(f'it declares types of its own (DTD {name:.40})')


def parse(data: bytes) -> ElementTree.Element:
  """The root of a document.

  Raises:
    ValueError: not XML, or with a DTD: no program that is read here writes one,
      and what it declares may grow without bounds.
  """
  try:
    return ElementTree.fromstring(data, ElementTree.XMLParser(
        target=_Builder()))
  except (ElementTree.ParseError, LookupError) as error:  # unknown encoding
    raise ValueError(f'not XML: {error}') from error
