"""The command line: options, output and exit codes; what it does lies elsewhere and is imported when it is needed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from regcheck import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from regcheck.property import Property
    from regcheck.registry import Listed

KINDS = ("implementations", "properties", "families", "statements")
PROFILES = ("quick", "default", "thorough")
FORMATS = ("terminal", "markdown", "json")
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Commands(click.Group):
    """A group that suggests the command that was meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that `args` name. Raises UsageError with the nearest name."""
        if not args[0].startswith("-"):
            from regcheck.names import expect  # noqa: PLC0415

            expect("command", args[0], self.commands)
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings=SETTINGS)
@click.version_option(__version__, message="regcheck %(version)s")
@click.option("--traceback", is_flag=True, expose_value=False, help="Show where an error of the command arose.")
def cli() -> None:
    """Tell whether a regularisation or normalisation layer does what its definition says, and how fast."""


@cli.command()
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@click.option("--family", metavar="FAMILY", help="The family of a bare class; of others, judge this family alone.")
@click.option("--property", "properties", multiple=True, metavar="GLOB", help="Only these properties. Repeatable.")
@click.option("--level", "levels", multiple=True, metavar="LEVEL", help="Only this level. Repeatable.")
@click.option("--profile", default="default", show_default=True, metavar="|".join(PROFILES), help="How much to judge.")
@click.option("--examples", type=click.IntRange(min=1), metavar="N", help="Cases a cell, instead of the profile's.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), metavar="S", help="The number that chooses the cases.")
@click.option("--jobs", type=click.IntRange(min=1), default=None, metavar="N", help="Judges at once.")
@click.option("--timeout", type=float, default=10.0, show_default=True, metavar="S", help="Seconds for one call.")
@click.option("--python", "pythons", multiple=True, metavar="PATH", help="The layer's interpreter. Repeatable.")
@click.option("--json", "json_file", type=click.Path(), metavar="FILE", help="Write the report here.")
@click.option("--in-process", is_flag=True, help="Run the layer in the judge, for a debugger. Not conformant.")
def verify(json_file: str | None, **given: Any) -> int:
    """Judge layers: file.py[:factory], package.module[:factory], or a class such as torch.nn:LayerNorm.

    Without a TARGET, every stock implementation whose framework is installed is judged.
    """
    from regcheck import output, run  # noqa: PLC0415
    from regcheck.names import expect  # noqa: PLC0415
    from regcheck.plan import Request  # noqa: PLC0415
    from regcheck.property import LEVELS  # noqa: PLC0415
    from regcheck.report.live import progress  # noqa: PLC0415

    for level in given["levels"]:
        expect("level", level, LEVELS)
    expect("profile", given["profile"], PROFILES)
    _check_timeout(given["timeout"])
    given["pythons"] = tuple(_interpreter(path) for path in given["pythons"])
    given["jobs"] = given["jobs"] or 0
    with progress() as tell:
        report = run.verify(Request(json=_path(json_file), **given), tell)
    return output.show(report)


@cli.command(name="list")
@click.argument("kind", required=False, metavar=f"[{'|'.join(KINDS)}]")
@click.option("--json", "as_json", is_flag=True, help="Records for a program.")
@click.option("--markdown", "as_markdown", is_flag=True, help="A table of the properties or families for a document.")
def list_command(kind: str | None, *, as_json: bool, as_markdown: bool) -> int:
    """List the implementations, properties, families and statements that there are."""
    from regcheck.names import expect  # noqa: PLC0415
    from regcheck.report import listing  # noqa: PLC0415

    if kind is not None:
        expect("list of", kind, KINDS)
    if as_markdown:
        if kind is None or as_json:
            msg = f"--markdown makes one table. Expected {' or '.join(listing.TABLES)} before it, and no --json."
            raise click.UsageError(msg)
        expect("table of", kind, listing.TABLES)
        click.echo(listing.TABLES[kind](_catalogue()[0]))
        return 0
    records = {one: _records(one) for one in ([kind] if kind else KINDS)}
    if as_json:
        click.echo(listing.as_json(records[kind] if kind else records))
        return 0
    for line in listing.lines(records):
        click.echo(line)
    return 0


@cli.command()
@click.argument("name", metavar="PROPERTY|STATEMENT|IMPLEMENTATION")
def explain(name: str) -> int:
    """Explain a property (dropout.rate), a statement (5.3) or a stock implementation (torch.Dropout)."""
    from regcheck.names import expect  # noqa: PLC0415
    from regcheck.report import explaining  # noqa: PLC0415

    items, statements = _catalogue()
    listed = _implementations()
    wanted = name.removeprefix("§")
    stock = {one.name: one for one in listed}
    known = [*items, *statements, *stock]
    expect("property, statement or implementation", wanted, known, "`regcheck list` names them all.")
    if wanted in items:
        text = explaining.of_property(items[wanted], statements, listed)
    elif wanted in statements:
        text = explaining.of_statement(statements[wanted], items, listed)
    else:
        text = explaining.of_implementation(stock[wanted])
    for line in text:
        click.echo(line)
    return 0


@cli.command()
@click.argument("file", type=click.Path())
def replay(file: str) -> int:
    """Judge the stored case of a failure once more."""
    from pathlib import Path  # noqa: PLC0415

    from regcheck import output, registry  # noqa: PLC0415
    from regcheck.replayed import cell_of  # noqa: PLC0415
    from regcheck.report.exit_code import of_cell  # noqa: PLC0415
    from regcheck.report.failure import text  # noqa: PLC0415

    cell, notes = cell_of(Path(file), registry.catalogue().properties)
    _warn(notes)
    click.echo(text(cell, output.claims()))
    return of_cell(cell)


@cli.command()
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@click.option("--family", metavar="FAMILY", help="Only this family.")
@click.option(
    "--size", "sizes", multiple=True, metavar="SIZE", help="Only this size: small, medium, large. Repeatable."
)
@click.option(
    "--jobs", type=click.IntRange(min=1), default=1, help="Targets at once; more than one disturb each other."
)
@click.option("--timeout", type=float, default=60.0, show_default=True, metavar="S", help="Seconds for one row.")
@click.option("--json", "json_file", type=click.Path(), metavar="FILE", help="Write the report, raw data included.")
def bench(targets: tuple[str, ...], json_file: str | None, **given: Any) -> int:
    """Measure how fast layers are; the time of a wrong layer is void."""
    from regcheck import bench, output  # noqa: PLC0415
    from regcheck.report import exit_code, live  # noqa: PLC0415

    _check_timeout(given["timeout"])
    given = {key: value for key, value in given.items() if value not in (None, ())}
    with live.progress() as tell:

        def heard(event: str, row: dict[str, Any] | None, done: int, planned: int) -> None:
            tell(f"{row['implementation']} {row['timed']} {row['size']}" if row else event, None, done, planned)

        report = bench.run(targets, json=_path(json_file), progress=heard, **given)
    output.show_as(report, "terminal")
    return exit_code.of_performance(report)


@cli.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(), metavar="FILE...")
@click.option("--format", "form", default="terminal", show_default=True, metavar="|".join(FORMATS))
@click.option("--output", "to", type=click.Path(), metavar="FILE", help="Write it here; takes one report.")
def report(files: tuple[str, ...], form: str, to: str | None) -> int:
    """Show stored JSON reports, of conformance or performance, in another form."""
    from pathlib import Path  # noqa: PLC0415

    from regcheck import output  # noqa: PLC0415
    from regcheck.names import expect  # noqa: PLC0415

    expect("format", form, FORMATS)
    if to is not None and len(files) > 1:
        msg = f"--output takes one report. Received: {len(files)}. Write them one by one."
        raise click.UsageError(msg)
    for one in [output.read(Path(file)) for file in files]:
        output.show_as(one, form, _path(to))
    return 0


def _records(kind: str) -> list[dict[str, Any]]:
    from regcheck.report import listing  # noqa: PLC0415

    if kind == "implementations":
        return listing.implementations(_implementations())
    if kind == "families":
        from regcheck.families import FAMILIES  # noqa: PLC0415

        return listing.families(FAMILIES)
    items, statements = _catalogue()
    return listing.properties(items) if kind == "properties" else listing.statements(statements, items)


def _implementations() -> list[Listed]:
    from regcheck import registry  # noqa: PLC0415

    listed, problems = registry.implementations()
    _warn(problems)
    return listed


def _catalogue() -> tuple[Mapping[str, Property], Mapping[str, Any]]:
    from regcheck import registry  # noqa: PLC0415

    found = registry.catalogue()
    _warn(found.problems)
    return found.properties, found.statements


def _warn(sentences: Iterable[str]) -> None:
    from regcheck.output import say  # noqa: PLC0415

    for sentence in dict.fromkeys(sentences):
        say(sentence)


def _path(file: str | None) -> Path | None:
    from pathlib import Path  # noqa: PLC0415

    return Path(file) if file is not None else None


def _interpreter(path: str) -> str:
    import shutil  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    from regcheck.errors import UsageError  # noqa: PLC0415

    found = shutil.which(path)
    if found is None:
        msg = (
            f"There is no interpreter {path!r}. Expected an executable Python. Give its path, such as venv/bin/python."
        )
        raise UsageError(msg)
    # A link is kept as it is: it tells the interpreter which virtual environment it belongs to.
    return str(Path(found).absolute())


def _check_timeout(seconds: float) -> None:
    from regcheck.errors import UsageError  # noqa: PLC0415

    if not 0 < seconds < float("inf"):
        msg = f"Invalid value for --timeout. Expected a finite number > 0. Received: {seconds}. Give seconds."
        raise UsageError(msg)


def run(arguments: list[str]) -> int:
    """Run the command line; its exit code. Never raises: an error is a sentence on standard error."""
    from regcheck import output  # noqa: PLC0415

    # Taken out here, so that it may stand behind the command as well as before it.
    trace = "--traceback" in arguments
    arguments = [one for one in arguments if one != "--traceback"]
    output.forgive_encodings()
    try:
        code = cli.main(arguments, prog_name="regcheck", standalone_mode=False)
        sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001  (turned into an exit code)
        if trace:
            import traceback  # noqa: PLC0415

            traceback.print_exc()
        return _exit_code_of(error)
    return code if isinstance(code, int) else 0


def _exit_code_of(error: BaseException) -> int:
    from regcheck import output  # noqa: PLC0415
    from regcheck.errors import UsageError  # noqa: PLC0415
    from regcheck.report import exit_code as codes  # noqa: PLC0415

    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return codes.USAGE
    if isinstance(error, click.ClickException | UsageError):
        sentence = error.format_message() if isinstance(error, click.ClickException) else str(error)
        output.say(sentence, getattr(error, "lines", ()))
        return codes.USAGE
    if isinstance(error, click.Abort | KeyboardInterrupt):
        output.say("Interrupted; nothing is reported. Run the command again.")
        return codes.INTERRUPTED
    # click turns a broken pipe into SystemExit.
    if isinstance(error, BrokenPipeError | SystemExit):
        output.abandon()
        return codes.HELD
    text = f"{type(error).__name__}: {error}"
    output.say(f"Internal error: {text}. Run it again with --traceback, and report what that shows.")
    return codes.INTERNAL
