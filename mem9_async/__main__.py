"""`python -m mem9_async ...`: the command line."""

from mem9_async.cli.app import app

if __name__ == "__main__":
    app(prog_name="python -m mem9_async")
