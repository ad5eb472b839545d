"""The field's scores, each toolkit's rule a named protocol."""
