"""All commands under one name, as the program `siamkpn`.

python -m siamkpn_jax track --help
"""

from siamkpn_jax.cli.siamkpn import program

if __name__ == '__main__':
  program()
