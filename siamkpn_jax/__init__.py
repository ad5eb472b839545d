"""SiamKPN in JAX: track any object, train the paper's models, evaluate."""

__version__ = '0.1.0'
