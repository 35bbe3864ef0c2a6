"""A machine that goes through a pickle as the interpreter would, and imports, calls and builds nothing (PEP 307, 574, 3154)."""

from __future__ import annotations

from collections.abc import Callable

from audit.supply_chain.look import Note, printable
from audit.supply_chain.pickles import listed, states, usage
from audit.supply_chain.pickles.containers import guard, hand_on, is_plain
from audit.supply_chain.pickles.opcodes import CODE, STOP
from audit.supply_chain.pickles.outcome import Outcome, Storage
from audit.supply_chain.pickles.stream import MalformedError, Stream
from audit.supply_chain.pickles.values import (
    ARRAY,
    FOREIGN,
    STORAGE,
    TEXT,
    UNKNOWN,
    Global,
    Made,
    Span,
    Value,
)

# Beyond these the machine stops, and says so: memory must not grow with the file.
MOST_ON_STACK, MOST_REMEMBERED, MOST_KEPT = 2_000_000, 16_000_000, 256 << 20


class LimitError(Exception):
    """A limit of the machine was reached."""


class Machine:
    """Simulates one pickle.

    Args:
        stream: Its bytes, at the first of them; left behind the last.
        arrays: Called where joblib would read an array out of the file: gives the byte after it, or raises `MalformedError`.
        rows: Whether to keep the items of lists.
        after: The machine that went before, where one unpickler goes on with what it remembers.
    """

    def __init__(
        self,
        stream: Stream,
        *,
        arrays: Callable[[Machine, Made], int] | None = None,
        rows: bool = False,
        after: Machine | None = None,
    ) -> None:
        self.stream = stream
        self.outcome = Outcome()
        self._stack: list[Value] = []
        self._marked: list[list[Value]] = []
        self._memo: dict[int, Value] = {} if after is None else after._memo
        self._dense: list[Value] = [] if after is None else after._dense
        self._kept: int = 0 if after is None else after._kept
        self._depth = 0
        self.protocol = 0
        self.frame_end = 0
        self.at = stream.place
        self._arrays = arrays
        self.rows = rows
        self._names: dict[Global, Value] = {}
        self._globals: dict[Global, Made] = {}

    def run(self) -> Outcome:
        """Go through the pickle to its STOP, or to where it goes wrong."""
        outcome, code = self.outcome, CODE
        try:
            while True:
                self.at = self.stream.place
                operation = code[self.stream.byte()]
                if operation is None:
                    raise MalformedError("it holds a byte that is no opcode")
                outcome.opcodes += 1
                if operation is STOP:
                    break
                operation(self)
            outcome.result = self.pop()
            if self.frame_end > self.stream.place:
                # Programs disagree about where the next pickle begins.
                self.note("pickle.malformed", "it ends inside its frame")
        except MalformedError as error:
            outcome.fault = str(error)
        except LimitError as error:
            outcome.fault = str(error)
            self.note("pickle.limit", str(error))
        outcome.end = self.stream.place if outcome.fault is None else self.at
        return outcome

    # What the interpreter does -------------------------------------------------------------------------------------

    def note(self, rule: str, reason: str, *, opens: bool = False) -> None:
        self.outcome.misused |= rule in ("pickle.call", "pickle.build")
        self.outcome.opens |= opens
        if len(self.outcome.notes) < 1000:
            self.outcome.notes.append(Note(rule, self.at, reason))

    def push(self, value: Value) -> None:
        self._stack.append(value)
        if len(self._stack) + self._depth > MOST_ON_STACK:
            raise LimitError(f"it has more than {MOST_ON_STACK} objects on its stack")

    def pop(self) -> Value:
        if not self._stack:
            raise MalformedError("it takes something from an empty stack")
        return self._stack.pop()

    @property
    def empty(self) -> bool:
        """Whether nothing lies above the last mark."""
        return not self._stack

    def top(self) -> Value:
        if not self._stack:
            raise MalformedError("it looks at an empty stack")
        return self._stack[-1]

    def mark(self) -> None:
        self._depth += len(self._stack) + 1
        self._marked.append(self._stack)
        self._stack = []

    def since_mark(self) -> list[Value]:
        if not self._marked:
            raise MalformedError("it goes back to a mark that it never set")
        items, self._stack = self._stack, self._marked.pop()
        self._depth -= len(self._stack) + 1
        return items

    def count(self) -> int:
        """How many objects it remembers, which is the index of the next."""
        return len(self._dense) + len(self._memo)

    def keeps(self, cost: int) -> bool:
        """Whether there is memory left to keep something of `cost` bytes."""
        self._kept += cost
        return self._kept <= MOST_KEPT

    def remember(self, index: int) -> None:
        """PUT, MEMOIZE: remember the object on top under a number."""
        value = self.top()
        if index < 0:
            raise MalformedError("it remembers something under a number below 0")
        if index < len(self._dense):
            self._dense[index] = value
        elif index == len(self._dense) and index not in self._memo:
            self._dense.append(value)
        else:
            self._memo[index] = value
        if len(self._dense) + 8 * len(self._memo) > MOST_REMEMBERED:
            raise LimitError(f"it remembers more than {MOST_REMEMBERED} objects")

    def recall(self, index: int) -> None:
        if 0 <= index < len(self._dense):
            self.push(self._dense[index])
        elif index in self._memo:
            self.push(self._memo[index])
        else:
            raise MalformedError("it recalls something that it never remembered")

    def import_name(self, module: Value, name: Value) -> None:
        if not all(isinstance(part, str) or part is TEXT or part is UNKNOWN for part in (module, name)):
            raise MalformedError("it imports by something that is no text")
        if not isinstance(module, str) or not isinstance(name, str):
            self.note("pickle.unresolved", "it imports something whose name cannot be told from the pickle")
            self.push(UNKNOWN)
            return
        found = listed.renamed(module, name) if self.protocol < 3 else Global(module, name)
        known = self._names.get(found)
        if known is None:
            if listed.entry(found) is None:
                self.note("pickle.global", f"it imports {printable(str(found))}, which is on no list")
                self.outcome.foreign |= listed.could_be_meant(found)
            known = self._names[found] = found if self.keeps(512) else UNKNOWN
        self.push(known)

    def call(self, function: Value, arguments: Value, how: usage.How) -> None:
        if isinstance(function, Global):
            known = listed.entry(function)
            if known is None:
                guard(self, [arguments])
                self.outcome.called = True
                self.push(FOREIGN)
                return
            problem = usage.problem(function, known, arguments, how)
            if problem is not None:
                said = f"it {'calls' if how == 'call' else 'makes a'} {function} {problem}"
                self.note("pickle.call", said, opens=function in usage.OPENERS)
            if function == usage.OPENS and isinstance(arguments, tuple) and arguments and isinstance(arguments[0], Span):
                self.outcome.nested.add(arguments[0])
            hand_on(arguments)
            self.push(self._made(function, known, arguments))
            return
        guard(self, [arguments])
        if function is FOREIGN:
            self.push(FOREIGN)
            return
        if is_plain(function):
            raise MalformedError("it calls something that cannot be called")
        self.note("pickle.unresolved", "it calls what only running it would tell")
        self.outcome.called = True
        self.push(UNKNOWN)

    def _made(self, function: Global, known: listed.Entry, arguments: Value) -> Made:
        if function == usage.RECONSTRUCTOR and isinstance(arguments, tuple) and arguments and isinstance(arguments[0], Global):
            function = arguments[0]
        if known.builds and self.keeps(256):
            return Made(function, arguments if known.keeps and isinstance(arguments, tuple) else None)
        # One object stands for all that one function made, so that millions of them take no memory.
        return self._globals.setdefault(function, Made(function, shared=True))

    def build(self) -> None:
        state, target = self.pop(), self.top()
        guard(self, [state])
        hand_on(state)
        if isinstance(target, Made):
            self._build(target, state)
        elif isinstance(target, Global):
            self.note("pickle.build", f"it changes {printable(str(target))} itself, for everybody who uses it", opens=True)
        elif target is UNKNOWN:
            self.note("pickle.unresolved", "it changes what only a call would give")
        elif target is STORAGE or target is ARRAY:
            self.note("pickle.build", f"it changes {target.kind}, which no real model does")
        # Anything else has no attributes: the interpreter goes on only where there is nothing to set.

    def _build(self, target: Made, state: Value) -> None:
        known = listed.entry(target.maker)
        if known is not None and not known.builds:
            self.note("pickle.build", f"it changes what {target.maker} gave, which no real model does")
        problem = states.problem_of_state(target, state)
        if problem is not None:
            self.note("pickle.call", f"it gives what {target.maker} made {printable(problem)}")
        if target.state is not None:
            self.note("pickle.build", f"it changes what {target.maker} gave twice, which no real model does")
        if not target.shared:
            target.state = state if target.arguments is not None else True
        if target.maker != listed.ARRAY_WRAPPER:
            return
        self.outcome.wraps = True
        if self._arrays is not None:
            if self.frame_end > self.stream.place:
                raise MalformedError("an array of joblib lies inside a frame")
            self.stream.go(self._arrays(self, target))
            self._stack[-1] = ARRAY

    def persistent(self, identifier: Value) -> None:
        problem = usage.problem_of_storage(identifier)
        if problem is not None:
            self.note("pickle.unresolved", f"it refers to an object outside the pickle {problem}")
            self.push(UNKNOWN)
            return
        _, kind, key, _, count = identifier[:5]
        if len(self.outcome.storages) < 1_000_000:
            self.outcome.storages[key] = Storage(kind.name, count)
        self.push(STORAGE)
