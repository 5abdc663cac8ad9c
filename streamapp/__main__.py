"""`python -m streamapp` is `streamapp`."""

from streamapp.cli.main import main

main()
