"""Walks the code of one workflow function and reports what the rules forbid.

Which names mean what is ``names``' business, what is wrong with them ``lint_rules``', what becomes of a finding
``lint``'s. Invariant: nothing is reported for a name that the function itself may have bound.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from types import FunctionType
from typing import Any, Protocol

from durable_nb.notebook import lint_rules
from durable_nb.notebook.lint_rules import Rule
from durable_nb.notebook.names import FunctionNode, Names, dotted

_WORKFLOW = ("durable_nb.workflow.", "temporalio.workflow.")


class Collector(Protocol):
    """Takes what the visitor finds. ``helpers`` are the functions written in the same cell."""

    helpers: Mapping[str, FunctionNode]

    def add(self, node: ast.AST, rule: Rule, subject: str, why: str = "") -> None: ...
    def call_helper(self, name: str, names: Names) -> None: ...


class Visitor(ast.NodeVisitor):
    """One function; nested functions are visited with their own names."""

    def __init__(self, check: Collector, names: Names) -> None:
        self.check = check
        self.names = names
        self.sets: set[str] = set()
        self.loops: set[str] = set()

    def body(self, node: FunctionNode) -> None:
        self._learn_types(node)
        for statement in node.body:
            self.visit(statement)

    def _learn_types(self, node: FunctionNode) -> None:
        """Names that only ever hold a set, or the running loop."""
        kinds: dict[str, set[str]] = {}
        for found in ast.walk(node):
            targets: Sequence[ast.expr] = ()
            if isinstance(found, ast.Assign):
                targets, value = found.targets, found.value
            elif isinstance(found, ast.AnnAssign) and found.value is not None:
                targets, value = [found.target], found.value
            elif isinstance(found, ast.Name) and isinstance(found.ctx, ast.Store):
                kinds.setdefault(found.id, set()).add("stored")
                continue
            for target in targets:
                if isinstance(target, ast.Name):
                    kind = "set" if self._is_set(value) else "loop" if self._is_loop(value) else "other"
                    kinds.setdefault(target.id, set()).add(kind)
        self.sets = {name for name, found in kinds.items() if found <= {"set", "stored"} and "set" in found}
        self.loops = {name for name, found in kinds.items() if found <= {"loop", "stored"} and "loop" in found}

    # -- structure -------------------------------------------------------------------------------------------------

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._nested(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._nested(node)

    def _nested(self, node: FunctionNode) -> None:
        if not is_activity(node, self.names):
            Visitor(self.check, self.names.within(node)).body(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        Visitor(self.check, self.names.within(node)).visit(node.body)

    def visit_With(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            target = item.context_expr.func if isinstance(item.context_expr, ast.Call) else item.context_expr
            name = self._name(target) or ""
            if name.endswith("unsafe.sandbox_unrestricted"):
                return
        self.generic_visit(node)

    visit_AsyncWith = visit_With

    def _name(self, node: ast.expr) -> str | None:
        """Full name, with ``workflow.`` taken for the module where the cell uses it before it exists."""
        found = self.names.full_name(node)
        if found is None:
            parts = dotted(node)
            if parts and parts[0] in ("workflow", "activity") and self.names.value(parts[0]) is None:
                return None if parts[0] in self.names.hidden else "durable_nb." + ".".join(parts)
        return found

    # -- calls -----------------------------------------------------------------------------------------------------

    def visit_Call(self, node: ast.Call) -> None:
        name = self._name(node.func)
        if name is not None:
            self._named_call(node, name)
        elif isinstance(node.func, ast.Attribute):
            self._method_call(node, node.func)
        if isinstance(node.func, ast.Name) and node.func.id not in self.names.hidden:
            self.check.call_helper(node.func.id, self.names)
        if _consumes_order(name) and node.args and self._is_set(node.args[0]):
            self.check.add(node.args[0], lint_rules.SET_ORDER, "a set")
        self.generic_visit(node)

    def _named_call(self, node: ast.Call, name: str) -> None:
        rule = lint_rules.find_rule(name)
        if rule is None and name in lint_rules.SEEDED and not node.args and not node.keywords:
            rule = lint_rules.RANDOM
        if name.startswith(("durable_nb.client.Client.", "durable_nb.client.WorkflowHandle.")):
            rule = lint_rules.CLIENT
        if name.startswith("pathlib.Path.") and name.rsplit(".", 1)[-1] in lint_rules.PATH_METHODS:
            rule = lint_rules.INPUT_OUTPUT
        if rule is lint_rules.CLOCK and name in ("time.strftime", "time.localtime", "time.gmtime", "time.ctime"):
            # With an instant given these only format it.
            rule = None if len(node.args) > (name == "time.strftime") else rule
        if rule is not None:
            self.check.add(node, rule, f"{name.removeprefix('builtins.')}()")
        elif isinstance(node.func, ast.Attribute):
            self._mutation(node, node.func)

    def _method_call(self, node: ast.Call, function: ast.Attribute) -> None:
        owner = function.value
        if isinstance(owner, ast.Call):
            made = self._name(owner.func)
            if made == "pathlib.Path" and function.attr in lint_rules.PATH_METHODS:
                self.check.add(node, lint_rules.INPUT_OUTPUT, f"Path.{function.attr}()")
        if function.attr in lint_rules.LOOP_METHODS and self._is_loop(owner):
            self.check.add(node, lint_rules.ASYNCIO, f"loop.{function.attr}()")
        self._mutation(node, function)

    def _is_loop(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Name):
            return node.id in self.loops
        name = self._name(node.func) if isinstance(node, ast.Call) else None
        return name is not None and name.rsplit(".", 1)[-1] in ("get_running_loop", "get_event_loop")

    def visit_Attribute(self, node: ast.Attribute) -> None:
        name = self._name(node)
        rule = lint_rules.ATTRIBUTES.get(name or "")
        if rule is not None:
            self.check.add(node, rule, str(name))
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        rule = lint_rules.ATTRIBUTES.get(self.names.full_name(node) or "") if isinstance(node.ctx, ast.Load) else None
        if rule is not None:
            self.check.add(node, rule, node.id)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call):
            name = self._name(node.value.func) or ""
            if name.startswith(_WORKFLOW) and name.rsplit(".", 1)[-1] in lint_rules.COROUTINES:
                self.check.add(node, lint_rules.NOT_AWAITED, f"workflow.{name.rsplit('.', 1)[-1]}()")
            elif isinstance(node.value.func, ast.Name) and self._is_activity_name(node.value.func.id):
                self.check.add(node, lint_rules.NOT_AWAITED, f"activity {node.value.func.id}()")
        self.generic_visit(node)

    def _is_activity_name(self, name: str) -> bool:
        if name in self.names.hidden:
            return False
        written = self.check.helpers.get(name)
        return is_activity(written, self.names) if written is not None else is_activity_object(self.names.value(name))

    # -- global state ----------------------------------------------------------------------------------------------

    def visit_Global(self, node: ast.Global) -> None:
        self.check.add(node, lint_rules.GLOBAL_STATE, f"global {', '.join(node.names)}")

    def _mutation(self, node: ast.Call, function: ast.Attribute) -> None:
        if function.attr in lint_rules.MUTATORS and isinstance(function.value, ast.Name):
            self._mutated(node, function.value, f"{function.value.id}.{function.attr}()")

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if isinstance(node.ctx, ast.Store | ast.Del) and isinstance(node.value, ast.Name):
            self._mutated(node, node.value, f"{node.value.id}[…]")
        self.generic_visit(node)

    def _mutated(self, node: ast.AST, name: ast.Name, subject: str) -> None:
        if type(self.names.value(name.id)).__name__ in (
            "list",
            "dict",
            "set",
            "deque",
            "defaultdict",
            "Counter",
            "OrderedDict",
        ):
            self.check.add(node, lint_rules.GLOBAL_STATE, subject, "changes a global, which is shared by all runs")

    # -- exceptions and sets ---------------------------------------------------------------------------------------

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        caught = _caught(node, self.names)
        empty = all(_is_nothing(statement) for statement in node.body)
        raises = any(isinstance(found, ast.Raise) for found in ast.walk(node))
        if (caught & {"", "BaseException"} and not raises) or ("CancelledError" in caught and empty):
            what = "except:" if "" in caught else f"except {min(caught & {'BaseException', 'CancelledError'})}"
            rule = lint_rules.SWALLOWED._replace(remedy="end the handler with raise")
            self.check.add(node, rule, what, "without raise hides the cancellation of the workflow")
        elif "Exception" in caught and empty:
            self.check.add(node, lint_rules.SWALLOWED, "except Exception with nothing in it")
        self.generic_visit(node)

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        if self._is_set(node.iter):
            self.check.add(node.iter, lint_rules.SET_ORDER, "a set")
        self.generic_visit(node)

    visit_AsyncFor = visit_For

    def visit_ListComp(self, node: ast.ListComp | ast.DictComp) -> None:
        for generator in node.generators:
            if self._is_set(generator.iter):
                self.check.add(generator.iter, lint_rules.SET_ORDER, "a set")
        self.generic_visit(node)

    visit_DictComp = visit_ListComp

    def _is_set(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Set | ast.SetComp):
            return True
        if isinstance(node, ast.Name):
            return node.id in self.sets or (
                node.id not in self.names.hidden and isinstance(self.names.value(node.id), set | frozenset)
            )
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr | ast.BitAnd | ast.Sub | ast.BitXor):
            return self._is_set(node.left)
        if isinstance(node, ast.Call):
            return self.names.full_name(node.func) in ("builtins.set", "builtins.frozenset")
        return False


def is_activity_object(value: Any) -> bool:
    return isinstance(value, FunctionType) and "__temporal_activity_definition" in vars(value)


def _consumes_order(name: str | None) -> bool:
    """Calls whose result depends on the order of what they are given; ``sorted``, ``len``, ``sum`` and so on do not."""
    return name in (
        "builtins.list",
        "builtins.tuple",
        "builtins.enumerate",
        "builtins.iter",
        "builtins.zip",
        "builtins.map",
    )


def _caught(node: ast.ExceptHandler, names: Names) -> set[str]:
    """Last words of the exception names of a handler; ``{""}`` for a bare ``except:``.

    Of the two CancelledErrors only asyncio's counts: Temporal's is a failure that code may well handle.
    """
    if node.type is None:
        return {""}
    listed = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    caught = set()
    for item in listed:
        full = names.full_name(item) or ".".join(dotted(item) or ["?"])
        last = full.rsplit(".", 1)[-1]
        if last != "CancelledError" or full.startswith("asyncio."):
            caught.add(last)
    return caught


def _is_nothing(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.Pass | ast.Continue | ast.Break)


def is_activity(node: FunctionNode, names: Names) -> bool:
    """Whether a function is decorated as an activity."""
    return any(decorator_name(d, names) == "activity.defn" for d in node.decorator_list)


def decorator_name(node: ast.expr, names: Names) -> str:
    """``workflow.defn`` for any spelling of it, also where it was not imported: the extension offers the modules."""
    target = node.func if isinstance(node, ast.Call) else node
    full = names.full_name(target) or ".".join(dotted(target) or [])
    return ".".join(full.split(".")[-2:]) if full else ""
