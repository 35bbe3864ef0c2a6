"""``assay train``: train the classifier that ``audit.toml`` describes, and save it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from assay.options import ConfigurationPath, Quiet
from assay.secrets import IdentityFiles, PassphraseDescriptor, collect_identities, read_passphrase


def train_from_file(
    configuration: ConfigurationPath = Path("audit.toml"),
    output: Annotated[Path, typer.Option(help="Folder for the classifier and its pictures.")] = Path("trained"),
    identity_file: IdentityFiles = None,
    passphrase_fd: PassphraseDescriptor = None,
    quiet: Quiet = False,
) -> None:
    """Train a classifier, print its loss as it falls, and save it with its pictures.

    A run that was stopped goes on where it was. Under torchrun each process takes its share of every batch:

    torchrun --nproc-per-node 2 -m assay train audit.toml

    Example: assay train examples/moons/audit.toml --output trained
    """
    from audit.configuration import Configuration
    from classifier.architectures._terms import AdditiveNetwork
    from classifier.classifier import DOCUMENT
    from classifier.errors import ConfigurationError
    from classifier.opening import opening_with
    from classifier.records import require_replaceable
    from classifier.statistics import proportion
    from explain.figures.behaviour.curves import draw_curves
    from explain.figures.behaviour.decision_boundary import draw_decision_boundary
    from explain.figures.training.training_curves import draw_training_curves
    from trainer import Epoch, train

    settings = Configuration.read(configuration)
    recipe = settings.recipe()
    if recipe is None:
        raise ConfigurationError(f"{configuration} brings a classifier, and there is nothing to train", remedy="give [model] architecture")
    require_replaceable(output, DOCUMENT)
    passphrase = read_passphrase(False, passphrase_fd, what="the sealed data")
    identities = collect_identities(identity_file, passphrase)
    with opening_with(settings.seal.opener(configuration.parent, identities, passphrase)):
        splits = settings.read_splits(configuration.parent)
    every = max(1, recipe.epochs // 20)

    def tell(epoch: Epoch) -> None:
        if epoch.number == 1 or epoch.number % every == 0:
            typer.echo(str(epoch))

    folder = output.resolve()
    state = folder.with_name(f"{folder.name}.checkpoint")
    if state.exists() and not quiet:
        typer.echo(f"going on from {state}, if it is of this run")
    classifier = train(splits, recipe, progress=False if quiet else tell, checkpoint=state)
    if int(os.environ.get("RANK", "0")) > 0:
        return  # the first of the processes writes for all
    classifier.save(output)
    state.unlink(missing_ok=True)
    right = (classifier.predict(splits.test.inputs) == splits.test.labels).numpy()
    record = classifier.card["training"]
    for note in record["notes"]:
        typer.echo(note)
    typer.echo(f"kept the weights of epoch {record['best_epoch']} of {len(record['loss']['train'])}")
    typer.echo(f"accuracy on the test rows: {proportion('accuracy', right)}")
    typer.echo(f"saved {output}, digest {classifier.digest}")
    pictures = {"loss": draw_training_curves(record["loss"]["train"], record["loss"]["validation"], chosen=record["best_epoch"]).figure}
    if len(classifier.schema.columns) == 2 == len(classifier.schema.features):
        pictures["boundary"] = draw_decision_boundary(classifier, splits.test.inputs, splits.test.labels).figure
    if isinstance(classifier.module, AdditiveNetwork):
        pictures["curves"] = draw_curves(classifier, splits.train)
    for name, figure in pictures.items():
        figure.savefig(output / f"{name}.png", dpi=150)  # type: ignore[union-attr]  # a new figure is no part of another
        typer.echo(f"drew {output / f'{name}.png'}")
