"""The vault side by side with pyrage and with what the machine can do: ``python -m benchmarks.vault``.

Everything lies on a memory-backed file system, so that no disk is measured. Each round runs every contestant once, in turn; each
number is the best of all rounds. One thread means that the process may use one processor.
"""

from __future__ import annotations

import hashlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyrage
import safetensors.torch
import torch
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from rich.console import Console
from rich.table import Table
from safetensors.torch import load_file, save_file

from audit.vault import ALLOW_UNSIGNED, encrypt_file, generate_identity, generate_signing_key, open_tensors, seal_model_file
from audit.vault.keys.identity import parse_recipients
from audit.vault.models.opened_model import open_model
from audit.vault.signing.trust import resolve_trust
from audit.vault.tensors.manifest import new_salt
from audit.vault.tensors.writing import Unsealed
from classifier.records import file_atomically

TENSORS, NUMBERS = 100, 2_500_000  # 100 tensors of 10 MB
SIZE = TENSORS * NUMBERS * 4
ROUNDS = 9
CHUNK, TAG = 1 << 16, 16
MEMORY = "/dev/shm"


@dataclass
class Contest:
    """What is timed in turn, and the best time of each."""

    runs: dict[str, Callable[[], object]] = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)

    def add(self, name: str, threads: int, run: Callable[[], object]) -> None:
        """Time `run` on so many processors."""

        def limited() -> object:
            with processors(threads):
                return run()

        self.runs[f"{name}/{threads}"] = limited

    def hold(self, rounds: int, written: Path) -> None:
        """Run all of them, in turn. What a run returned or wrote is given back outside its time."""
        for _ in range(rounds):
            for name, run in self.runs.items():
                started = time.perf_counter()
                result = run()
                spent = time.perf_counter() - started
                del result
                written.unlink(missing_ok=True)
                self.best[name] = min(spent, self.best.get(name, float("inf")))

    def rate(self, *names: str) -> float:
        """Gigabytes a second of contestants that run one after the other."""
        return SIZE / sum(self.best[name] for name in names) / 1e9


@contextmanager
def processors(count: int) -> Iterator[None]:
    """Use so many processors meanwhile."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def run_cipher(threads: int, encrypt: bool) -> None:
    """ChaCha20-Poly1305 alone, chunk by chunk, over buffers that stay in the cache."""
    cipher, nonce = ChaCha20Poly1305(bytes(32)), bytes(12)
    sealed = cipher.encrypt(nonce, bytes(CHUNK), None)

    def work(chunks: int) -> None:
        plain, out = memoryview(bytearray(CHUNK)), memoryview(bytearray(CHUNK + TAG))
        for _ in range(chunks):
            if encrypt:
                cipher.encrypt_into(nonce, plain, None, out)
            else:
                cipher.decrypt_into(nonce, sealed, None, plain)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, [SIZE // CHUNK // threads] * threads))


def read_fresh(path: Path) -> memoryview:
    """Read a file into memory that was never written to."""
    buffer = memoryview(torch.empty(path.stat().st_size, dtype=torch.uint8).numpy())
    with path.open("rb", buffering=0) as file:
        filled = 0
        while filled < len(buffer):
            filled += file.readinto(buffer[filled:])
    return buffer


def measure_streaming(plain: Path) -> float:
    """Peak memory of sealing and opening a file in a process of its own, in MiB above one that only gets ready for it."""
    program = (
        "import sys\n"
        "from audit.vault import decrypt_file, encrypt_file, generate_identity\n"
        "me = generate_identity()\n"
        "if len(sys.argv) > 1:\n"
        "    encrypt_file(sys.argv[1], sys.argv[2], recipients=[me.recipient])\n"
        "    decrypt_file(sys.argv[2], sys.argv[2] + '.plain', identities=[me])\n"
        # The peak of this program alone: what getrusage tells includes its parent's at the fork.
        "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])\n"
    )
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        peaks = []
        for arguments in ([], [str(plain), f"{folder}/out"]):
            command = [sys.executable, "-c", program, *arguments]
            peaks.append(int(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    return (peaks[1] - peaks[0]) / 1024


def main() -> None:
    """Measure, and print each number beside its limit."""
    console = Console(width=120)
    tensors = {f"layer.{i:03d}": torch.randn(NUMBERS) for i in range(TENSORS)}
    mine, theirs, key = generate_identity(), pyrage.x25519.Identity.generate(), generate_signing_key()
    readers = parse_recipients([mine.recipient])
    whole = memoryview(bytearray(SIZE))
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        folder = Path(name)
        plain, sealed, rage, out = (folder / part for part in ("plain.safetensors", "model.safetensors.age", "rage.age", "out"))
        save_file(tensors, plain)
        seal_model_file(plain, sealed, recipients=[mine.recipient], signers=[key])
        pyrage.encrypt_file(str(plain), str(rage), [theirs.to_public()])
        store = resolve_trust([key.public])
        assert store is not None

        def load(verified: bool) -> object:
            with open_model(sealed, [mine]) as model:
                if verified:
                    model.require_provenance(store, [mine], None)
                return model.load(verified=verified)

        def load_rage_by_file() -> object:
            pyrage.decrypt_file(str(rage), str(out), [theirs])
            return load_file(out)

        def seal_tensors() -> None:
            with file_atomically(out) as file:
                Unsealed.of_tensors(tensors, {}).write(file, readers, salt=new_salt())

        contest = Contest()
        for threads in (2, 1):
            contest.add("cipher opens", threads, lambda threads=threads: run_cipher(threads, False))
            contest.add("cipher seals", threads, lambda threads=threads: run_cipher(threads, True))
            contest.add("load", threads, lambda: load(False))
            contest.add("verify and load", threads, lambda: load(True))
            contest.add("seal a file", threads, lambda: encrypt_file(plain, out, recipients=[mine.recipient]))
            contest.add("seal tensors with digests", threads, seal_tensors)
        contest.add("read into fresh memory", 1, lambda: read_fresh(plain))
        contest.add("save plain", 1, lambda: save_file(tensors, out))
        contest.add("SHA-256", 1, lambda: hashlib.sha256(whole))
        contest.add("pyrage loads in memory", 2, lambda: safetensors.torch.load(pyrage.decrypt(rage.read_bytes(), [theirs])))
        contest.add("pyrage loads by a file", 2, load_rage_by_file)
        contest.add("pyrage seals", 2, lambda: pyrage.encrypt_file(str(plain), str(out), [theirs.to_public()]))
        contest.hold(ROUNDS, out)
        lazy = best_lazy(sealed, mine)
        streaming = measure_streaming(plain)

    table = Table(title=f"{SIZE / 1e9:.1f} GB in {TENSORS} tensors, memory-backed, best of {ROUNDS} rounds")
    for column in ("what", "threads", "GB/s", "x pyrage", "by a file", "wanted", "of limit", "wanted", "limit"):
        table.add_column(column, justify="left" if column in ("what", "limit") else "right")
    fresh, save, hashed = "read into fresh memory/1", "save plain/1", "SHA-256/1"
    for what, threads, peer, wanted, limits, share in (
        ("load", 2, "pyrage loads in memory/2", 4.0, ("cipher opens/2", fresh), 0.8),
        ("load", 1, "pyrage loads in memory/2", 2.5, ("cipher opens/1", fresh), None),
        ("verify and load", 2, "pyrage loads in memory/2", None, (hashed,), 0.65),
        ("verify and load", 1, "pyrage loads in memory/2", None, (hashed,), None),
        ("seal a file", 2, "pyrage seals/2", 1.7, ("cipher seals/2", save), 0.8),
        ("seal a file", 1, "pyrage seals/2", None, ("cipher seals/1", save), None),
        ("seal tensors with digests", 2, "pyrage seals/2", 1.7, ("cipher seals/2", save), 0.8),
        ("seal tensors with digests", 1, "pyrage seals/2", None, ("cipher seals/1", save), None),
    ):
        rate = contest.rate(f"{what}/{threads}")
        table.add_row(
            what,
            str(threads),
            f"{rate:.2f}",
            f"{rate / contest.rate(peer):.1f}",
            f"{rate / contest.rate('pyrage loads by a file/2'):.1f}" if "loads" in peer else "",
            f"{wanted}" if wanted else "",
            f"{rate / contest.rate(*limits):.0%}",
            f"{share:.0%}" if share else "",
            " + ".join(limit.partition("/")[0] for limit in limits),
        )
    console.print(table)
    limits = {name: f"{contest.rate(name):.2f}" for name in contest.runs if name.partition("/")[0] not in ("load", "verify and load")}
    console.print(", ".join(f"{name} {rate}" for name, rate in limits.items()))
    console.print(f"one tensor of 10 MB out of 1 GB: {lazy * 1e3:.1f} ms, wanted under 60")
    console.print(f"streaming, above a process that only gets ready for it: {streaming:.0f} MiB, wanted under 64")
    console.print(f"peak of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB")


def best_lazy(sealed: Path, identity: object) -> float:
    """Seconds to open the file and take one tensor out of its middle."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.perf_counter()
        with open_tensors(sealed, identities=[identity], trusted=ALLOW_UNSIGNED) as lazy:  # type: ignore[list-item]
            lazy["layer.050"]
        best = min(best, time.perf_counter() - started)
    return best


if __name__ == "__main__":
    main()
