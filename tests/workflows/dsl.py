"""Workflows as Dify exports them, put together from nodes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import yaml
from pydantic import JsonValue

PLUGIN = "mem9-async/mem9_async:0.0.0@0"
PROVIDER = "mem9-async/mem9_async/mem9_async"


@dataclass
class Workflow:
    """Nodes one after the other, and branches off them. `chat`: with `answer` for `end`."""

    chat: bool = False
    _nodes: list[JsonValue] = field(default_factory=list)
    _edges: list[JsonValue] = field(default_factory=list)

    def add(
        self,
        name: str,
        after: str | None = None,
        handle: str = "source",
        inside: str | None = None,
        **data: JsonValue,
    ) -> str:
        """Put a node behind *after*, at its way out *handle*; return its name."""
        node: dict[str, JsonValue] = {"id": name, "data": {"title": name, **data}}
        if inside is not None:
            node["parentId"] = inside
            node["data"] = {**data, "title": name, "isInIteration": True, "iteration_id": inside}
        self._nodes.append(node)
        if after is not None:
            self.connect(after, name, handle)
        return name

    def connect(self, source: str, target: str, handle: str = "source") -> None:
        """Another way from one node to another."""
        self._edges.append(
            {
                "id": f"{source}-{handle}-{target}",
                "source": source,
                "target": target,
                "sourceHandle": handle,
                "targetHandle": "target",
            }
        )

    def start(self, *inputs: str) -> str:
        """The beginning, with texts to be given."""
        return self.add(
            "start",
            type="start",
            variables=[
                {
                    "variable": each,
                    "label": each,
                    "type": "paragraph",
                    "required": False,
                    "max_length": 100_000,
                }
                for each in inputs
            ],
        )

    def tool(
        self,
        name: str,
        tool: str,
        after: str,
        *,
        inside: str | None = None,
        **parameters: JsonValue,
    ) -> str:
        """A node of the plugin: text is a template, a list of names binds a variable."""
        return self.add(
            name, after, inside=inside, type="tool", provider_id=PROVIDER, provider_name=PROVIDER,
            provider_type="builtin", tool_name=tool, tool_label=tool, tool_configurations={},
            plugin_unique_identifier=PLUGIN, tool_node_version="2",
            tool_parameters={key: _bound(value) for key, value in parameters.items()},
        )  # fmt: skip

    def branch(
        self, name: str, after: str, selector: Sequence[str], operator: str, value: JsonValue = None
    ) -> str:
        """An if-else; what holds goes on at `true`, the rest at `false`."""
        condition: JsonValue = {
            "id": "1",
            "variable_selector": list(selector),
            "comparison_operator": operator,
            "value": value,
        }
        return self.add(
            name,
            after,
            type="if-else",
            cases=[
                {
                    "id": "true",
                    "case_id": "true",
                    "logical_operator": "and",
                    "conditions": [condition],
                }
            ],
        )

    def template(
        self,
        name: str,
        after: str,
        template: str,
        *,
        handle: str = "source",
        inside: str | None = None,
        **variables: Sequence[str],
    ) -> str:
        """Text from variables."""
        return self.add(
            name,
            after,
            handle,
            inside,
            type="template-transform",
            template=template,
            variables=[
                {"variable": key, "value_selector": list(value)} for key, value in variables.items()
            ],
        )

    def iteration(self, name: str, after: str, over: Sequence[str], output: Sequence[str]) -> str:
        """A loop over an array; its nodes go behind `<name>start`, inside *name*."""
        begins = f"{name}start"
        self.add(
            name,
            after,
            type="iteration",
            iterator_selector=list(over),
            output_selector=list(output),
            start_node_id=begins,
            is_parallel=False,
        )
        self.add(begins, inside=name, type="iteration-start")
        return begins

    def end(
        self, after: str, handle: str = "source", name: str = "end", **outputs: Sequence[str]
    ) -> None:
        """The end, with what it gives out."""
        self.add(
            name,
            after,
            handle,
            type="end",
            outputs=[
                {"variable": key, "value_selector": list(value)} for key, value in outputs.items()
            ],
        )

    def answer(self, after: str, text: str) -> None:
        """What a chatflow says."""
        self.add("answer", after, type="answer", answer=text)

    def text(self) -> str:
        """The file that Dify would export."""
        mode = "advanced-chat" if self.chat else "workflow"
        graph: JsonValue = {"nodes": self._nodes, "edges": self._edges}
        exported: JsonValue = {
            "app": {"mode": mode, "name": "mem9", "icon": "m"},
            "dependencies": [{"type": "package", "value": {"plugin_unique_identifier": PLUGIN}}],
            "kind": "app", "version": "0.3.0", "workflow": {"graph": graph},
        }  # fmt: skip
        return yaml.safe_dump(exported, sort_keys=False, allow_unicode=True)


def paths(schema: dict[str, JsonValue], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every path that an output schema declares, objects' own included."""
    properties = schema.get("properties")
    for name, inner in (properties if isinstance(properties, dict) else {}).items():
        yield (*above, name)
        if isinstance(inner, dict):
            yield from paths(inner, (*above, name))


def branches(flow: Workflow, after: str, node: str, fields: Iterable[tuple[str, ...]]) -> str:
    """An if-else for each of *fields* of *node*, one behind the other whichever way it goes."""
    for number, path in enumerate(fields):
        name = flow.branch(f"if{number}", after, (node, *path), "not null")
        after = flow.template(f"joined{number}", name, "x", handle="true")
        flow.connect(name, after, "false")
    return after


def _bound(value: JsonValue) -> JsonValue:
    if isinstance(value, list):
        return {"type": "variable", "value": value}
    if isinstance(value, str):
        return {"type": "mixed", "value": value}
    return {"type": "constant", "value": value}
