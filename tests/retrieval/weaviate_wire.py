"""A server that speaks as much of Weaviate's wire as a vector store needs: its schema by HTTP, its objects by gRPC.

It is written from the messages that Weaviate's own client ships (`weaviate.proto.v1`), keeps everything in memory, and
answers what it does not know with an error. It is no Weaviate: its search is a plain scan.
"""

from __future__ import annotations

import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from typing import Any

import numpy as np

VERSION = "1.36.0"
UNKNOWN = 12
"""gRPC's status UNIMPLEMENTED."""


def proto(name: str) -> Any:
    """Return a module of the messages; the client is an extra that other tests do without."""
    return getattr(import_module("weaviate.proto.v1"), name)


class WeaviateWire:
    """Collections of objects, each with properties of whole numbers and one vector."""

    def __init__(self) -> None:
        self.schema: dict[str, dict[str, Any]] = {}
        self.objects: dict[str, dict[str, tuple[dict[str, int], np.ndarray]]] = {}
        self.asked: list[str] = []
        wire = self

        class Answers(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                status, said = wire.http(self.command, self.path, json.loads(body) if body else None)
                self.send_response(status)
                payload = json.dumps(said).encode()
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            do_GET = do_POST = do_DELETE = answer  # noqa: N815

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        self._grpc: Any = import_module("grpc").server(ThreadPoolExecutor(4))
        grpc_port = self._grpc.add_insecure_port("127.0.0.1:0")
        proto("weaviate_pb2_grpc").add_WeaviateServicer_to_server(self, self._grpc)
        self._grpc.start()
        self.place = f"http://127.0.0.1:{self._http.server_port}?grpc={grpc_port}"

    def stop(self) -> None:
        self._grpc.stop(None)
        self._http.shutdown()
        self._http.server_close()

    def http(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        self.asked.append(f"{method} {path}")
        if (method, path) == ("GET", "/v1/meta"):
            return 200, {"version": VERSION, "hostname": "wire", "modules": {}}
        if (method, path) == ("POST", "/v1/schema"):
            if body["class"] in self.schema or not body["class"][0].isupper():
                return 422, {"error": [{"message": f"class name {body['class']} cannot be taken"}]}
            self.schema[body["class"]] = body
            self.objects[body["class"]] = {}
            return 200, body
        name = path.removeprefix("/v1/schema/")
        if name != path and method == "GET":
            return (200, self.schema[name]) if name in self.schema else (404, {})
        if name != path and method == "DELETE":
            self.schema.pop(name, None)
            self.objects.pop(name, None)
            return 200, {}
        return 404, {}

    def BatchObjects(self, request: Any, context: Any) -> Any:  # noqa: N802
        del context
        for one in request.objects:
            assert str(uuid.UUID(one.uuid)) == one.uuid
            raw = one.vectors[0].vector_bytes if one.vectors else one.vector_bytes
            vector = np.frombuffer(raw, "<f4")
            fields = one.properties.non_ref_properties
            kept = {key: int(fields[key]) for key in fields}
            self.objects[one.collection][one.uuid] = (kept, vector / np.linalg.norm(vector))
        return proto("batch_pb2").BatchObjectsReply(took=0.0)

    def BatchDelete(self, request: Any, context: Any) -> Any:  # noqa: N802
        there = self.objects[request.collection]
        gone = [key for key, (kept, _) in there.items() if self._fits(kept, request.filters, context)]
        for key in gone:
            del there[key]
        return proto("batch_delete_pb2").BatchDeleteReply(matches=len(gone), successful=len(gone))

    def Search(self, request: Any, context: Any) -> Any:  # noqa: N802
        there = self.objects[request.collection]
        rows = [
            (key, kept, vector)
            for key, (kept, vector) in sorted(there.items())
            if not request.HasField("filters") or self._fits(kept, request.filters, context)
        ]
        far = dict.fromkeys((key for key, *_ in rows), 0.0)
        if request.HasField("near_vector"):
            near = request.near_vector
            raw = near.vectors[0].vector_bytes if near.vectors else near.vector_bytes
            asked = np.frombuffer(raw, "<f4")
            far = {key: float(1 - vector @ asked / np.linalg.norm(asked)) for key, _, vector in rows}
            rows.sort(key=lambda row: far[row[0]])
        elif request.after:
            rows = [row for row in rows if row[0] > request.after]
        results = [
            proto("search_get_pb2").SearchResult(
                properties=proto("search_get_pb2").PropertiesResult(
                    target_collection=request.collection,
                    non_ref_props=proto("properties_pb2").Properties(
                        fields={name: proto("properties_pb2").Value(int_value=kept[name]) for name in kept}
                    ),
                ),
                metadata=proto("search_get_pb2").MetadataResult(
                    id=key,
                    id_as_bytes=uuid.UUID(key).bytes,
                    distance=far[key],
                    distance_present=request.metadata.distance,
                ),
            )
            for key, kept, _ in rows[: request.limit or 10]
        ]
        return proto("search_get_pb2").SearchReply(took=0.0, results=results)

    def _unknown(self, request: Any, context: Any) -> Any:
        context.abort(UNKNOWN, f"not on this wire: {type(request).__name__}")

    BatchReferences = BatchStream = BatchSend = TenantsGet = Aggregate = _unknown

    def _fits(self, kept: dict[str, int], asked: Any, context: Any) -> bool:
        if asked.operator != proto("base_pb2").Filters.OPERATOR_CONTAINS_ANY:
            self._unknown(asked, context)
        return kept[asked.target.property] in asked.value_int_array.values
