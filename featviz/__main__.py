"""`python -m featviz`: the command line, for the interpreter that is named."""

from featviz.cli.main import run

if __name__ == "__main__":
    run()
