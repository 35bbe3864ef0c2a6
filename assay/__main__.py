"""The ``assay`` command: every failure says what is wrong and what to do next, and has its exit code."""

from __future__ import annotations

import sys
import traceback

import typer

from assay.audit import audit_from_file
from assay.check import check_configuration
from assay.deidentify import deidentify_table
from assay.diff import compare_bundles
from assay.doctor import examine_machine
from assay.explain import explain_rows
from assay.init import begin
from assay.inspect import show_structure
from assay.keygen import make_key
from assay.publish import publish_bundle
from assay.report import render_report
from assay.reproduce import reproduce_bundle
from assay.rewrap import rewrap_file
from assay.scan import scan_path
from assay.seal import seal_path
from assay.selftest import test_engines
from assay.sign import sign_path
from assay.timestamp import app as timestamp
from assay.train import train_from_file
from assay.unseal import unseal_path
from assay.verify import verify_folder
from classifier.errors import AssayError

app = typer.Typer(
    name="assay",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Explains and audits neural-network classifiers.\n\nExample: assay init loans.csv --target default && assay audit audit.toml",
    epilog="Exit codes: 0 nothing violated, 1 a rule is violated, 2 usage or configuration, 3 inconclusive or evidence missing, "
    "4 a file is not what it was, 5 an internal error.",
)
app.command("init")(begin)
app.command("check")(check_configuration)
app.command("train")(train_from_file)
app.command("explain")(explain_rows)
app.command("audit")(audit_from_file)
app.command("report")(render_report)
app.command("verify")(verify_folder)
app.command("diff")(compare_bundles)
app.command("reproduce")(reproduce_bundle)
app.command("publish")(publish_bundle)
app.add_typer(timestamp, name="timestamp")
app.command("keygen")(make_key)
app.command("seal")(seal_path)
app.command("unseal")(unseal_path)
app.command("rewrap")(rewrap_file)
app.command("sign")(sign_path)
app.command("inspect")(show_structure)
app.command("scan")(scan_path)
app.command("deidentify")(deidentify_table)
app.command("selftest")(test_engines)
app.command("doctor")(examine_machine)


def main() -> None:
    """Run a command, and turn what goes wrong into words and an exit code."""
    _forbid_core_dumps()
    try:
        app()
    except AssayError as error:
        print(f"error: {error.problem}", file=sys.stderr)
        if error.remedy:
            print(f"next:  {error.remedy}", file=sys.stderr)
        sys.exit(error.exit_code)
    except SystemExit as stop:
        # Typer makes 130 of Ctrl-C; here, what is not finished is 3.
        if stop.code != 130:
            raise
        resumes = sys.argv[1:2] in (["audit"], ["train"])
        kept = "what was finished is kept, and the same command goes on from there" if resumes else "what was being written is as it was"
        print(f"stopped; {kept}", file=sys.stderr)
        sys.exit(3)
    except OSError as error:
        # What names a file has said so already; what is left is standard output, or the machine itself.
        print(f"error: {error.filename or 'standard output'}: {error.strerror}", file=sys.stderr)
        print("next:  look at disk, limits and permissions, then run the command again", file=sys.stderr)
        sys.exit(2)
    except Exception:
        traceback.print_exc()
        print("error: this is a fault of Assay, not of your data", file=sys.stderr)
        print("next:  report it with the lines above; what was there before is unchanged", file=sys.stderr)
        sys.exit(5)


def _forbid_core_dumps() -> None:
    """A process that crashes leaves no file with the keys and the plaintext that it held."""
    if sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


if __name__ == "__main__":
    main()
