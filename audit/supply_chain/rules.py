"""The rules: what a scan looks for, how grave it is, and what to do about it."""

from __future__ import annotations

from typing import NamedTuple

from audit.supply_chain.findings import Severity


class Rule(NamedTuple):
    """One kind of finding.

    Args:
        severity: How grave it is, where nothing makes it graver.
        title: What it is, in a few words.
        remedy: What to do.
    """

    severity: Severity
    title: str
    remedy: str


_ASK = "do not open it; ask its sender for the weights as safetensors"
_AGAIN = "take it from its origin again and compare the SHA-256"
_WHOLE = "do not open it; ask its sender for one file, or for data beside it"
_OPERATORS = "find out which library they need before you load any"
_UNPACK = "unpack it in a place that can be thrown away, and scan what comes out"

RULES = {
    "pickle.global": Rule("high", "A pickle imports something that is on no list", _ASK),
    "pickle.unresolved": Rule("high", "A pickle imports or calls something that only running it would tell", _ASK),
    "pickle.call": Rule("high", "A pickle uses a listed name as no real model does", _ASK),
    "pickle.build": Rule("high", "A pickle changes a class, a function or a module", _ASK),
    "pickle.malformed": Rule("high", "A pickle does not follow the protocol, and what follows was not looked into", _ASK),
    "pickle.limit": Rule("high", "A pickle is too large to simulate to its end", _ASK),
    "pickle.size": Rule("medium", "A pickle claims sizes that the file does not cover", _AGAIN),
    "pickle.trailing": Rule("medium", "Bytes follow the end of a pickle", _AGAIN),
    "torch.script": Rule("high", "A TorchScript archive: it holds a program", "ask for the weights as safetensors, or for ONNX"),
    "torch.storage": Rule("medium", "The tensors of a torch file do not fit its storages", _AGAIN),
    "numpy.malformed": Rule("medium", "A numpy file does not follow the format", _AGAIN),
    "numpy.object": Rule("low", "A numpy array of objects holds a pickle", "ask for an array of numbers"),
    "safetensors.malformed": Rule("medium", "A safetensors file does not follow the format", _AGAIN),
    "onnx.malformed": Rule("medium", "An ONNX file does not follow the format", _AGAIN),
    "onnx.external": Rule("high", "An ONNX file points out of its folder", _WHOLE),
    "onnx.missing": Rule("medium", "The data of an ONNX file are not where it says", "take all of its files, in one folder"),
    "onnx.domain": Rule("medium", "An ONNX file needs operators of its sender's own", _OPERATORS),
    "keras.code": Rule("high", "A Keras model holds a program", "ask for the model without Lambda layers"),
    "keras.module": Rule("high", "A Keras model names a module to import", "ask for a model of Keras' own layers, or for ONNX"),
    "keras.custom": Rule("medium", "A Keras model needs layers of its sender's own", "read their source before you register them"),
    "keras.file": Rule("high", "A Keras model reads a file of its sender's choice", "ask for the words inside the model"),
    "hdf5.escaped": Rule("high", "An HDF5 file hides plain letters behind escapes", "do not open it; no library writes this"),
    "tensorflow.operation": Rule("high", "A TensorFlow graph reads or writes files, or calls Python", "ask for ONNX"),
    "gguf.malformed": Rule("medium", "A GGUF file does not follow the format", _AGAIN),
    "template.code": Rule("high", "A chat template reaches for the insides of Python", "do not render it; replace the template"),
    "weights.nan": Rule("medium", "Weights are not a number", "the model cannot have been tested like this; take it from its origin again"),
    "weights.infinite": Rule("low", "Weights are infinite", "expected of masks alone; otherwise as for weights that are not a number"),
    "zip.malformed": Rule("high", "A zip archive reads differently to different programs, or not at all", _AGAIN),
    "zip.polyglot": Rule("high", "Another file stands before, behind or between the members of an archive", _ASK),
    "archive.path": Rule("high", "A member of an archive would be written outside its folder", "do not unpack it"),
    "archive.link": Rule("high", "A member of an archive is a link or a device", "do not unpack it"),
    "archive.duplicate": Rule("high", "Two members of an archive have one name", _AGAIN),
    "archive.case": Rule("medium", "Names differ in the case of letters only", "unpack it on a system that tells them apart"),
    "archive.damaged": Rule("medium", "A member of an archive is not what its checksum says", _AGAIN),
    "archive.bomb": Rule("high", "An archive unpacks to far more than it should", "do not unpack it"),
    "archive.deep": Rule("high", "Archives lie in archives too deep to follow", _UNPACK),
    "archive.encrypted": Rule("medium", "A member of an archive is encrypted, and was not looked into", _UNPACK),
    "archive.opaque": Rule("medium", "Packed in a way that cannot be looked into", _UNPACK),
    "tar.malformed": Rule("medium", "A tar archive does not follow the format", _AGAIN),
    "file.sealed": Rule("low", "Encrypted with age, and not looked into", "open it with its identity, and scan what comes out"),
    "file.mismatch": Rule("medium", "A file is not what its name says", "find out which of the two is meant before you open it"),
    "file.program": Rule("high", "A program that the machine can run", "remove it: a model needs none"),
    "file.script": Rule("medium", "A script", "read it before you run anything of this folder"),
    "file.source": Rule("low", "Python source beside a model", "read it before you trust it, and load the model without it"),
    "file.names_code": Rule("high", "A configuration names code to run", "load it without trust_remote_code, or read and pin that code"),
    "file.malformed": Rule("low", "A JSON file cannot be read", _AGAIN),
    "file.large": Rule("medium", "A configuration is too large to read", "take out what makes it so large, and scan it again"),
    "file.link": Rule("high", "A link leads out of the folder", "remove it, or scan what it leads to"),
    "file.special": Rule("medium", "Neither a file nor a folder", "remove it"),
    "file.case": Rule("medium", "Names differ in the case of letters only", "rename one: on some systems they are one file"),
    "file.unreadable": Rule("medium", "A file cannot be read", "check its permissions, and scan again"),
    "file.fault": Rule("high", "The scanner failed on a file", "report it, with the file if you may; do not open the file"),
    "file.changed": Rule("high", "A file changed while it was scanned", "scan a copy that nobody writes to"),
}
