#!/usr/bin/env python3
"""What Flink's published description of its API says, in short: each request with its status and the shape of its answer.

    testing/foreign/flink/openapi.py FILE >crates/cluster/flink-rest/tests/flink/openapi-VERSION.json

FILE is rest_v1_dispatcher.yml, which Flink publishes with the documentation of each version, and keeps in its repository
in docs/static/generated. It needs PyYAML. A shape has a value for each field: 0, "", true, a list, an object; null is
what may be anything.
"""

import json
import re
import sys

import yaml

PLAIN = {"string": "", "integer": 0, "number": 0, "boolean": True}


def shape(schema, schemas, above=()):
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        # A type within itself goes on as before.
        return None if name in above else shape(schemas[name], schemas, (*above, name))
    kind = schema.get("type")
    if kind == "array":
        return [shape(schema["items"], schemas, above)]
    if kind == "object" and schema.get("properties"):
        return {name: shape(field, schemas, above) for name, field in schema["properties"].items()}
    return PLAIN.get(kind)


def main():
    with open(sys.argv[1]) as file:
        described = yaml.safe_load(file)
    schemas = described["components"]["schemas"]
    requests = {}
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            [(status, response)] = operation["responses"].items()
            content = response.get("content", {}).get("application/json", {})
            requests[f"{method.upper()} {re.sub(r'{[^}]*}', '{}', path)}"] = {
                "status": int(status),
                "body": shape(content.get("schema", {}), schemas),
            }
    lines = [f"{json.dumps(request)}: {json.dumps(requests[request])}" for request in sorted(requests)]
    print("{\n" + ",\n".join(lines) + "\n}")


main()
