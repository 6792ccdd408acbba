"""Whether openapi.json is a right description, and whether a server is described by it.

Everything here judges what it is given and asks nobody: a document, and records of requests with
their replies (openapi_test.py makes them). So the same records can be judged by a spoiled document,
to see that the faults are found."""
import copy
import json
import re

from jsonschema import Draft202012Validator, FormatChecker

METHODS = ("get", "post", "put", "delete")
# Of the connection and of how bytes travel, not of what is replied.
UNTOLD_HEADERS = {"date", "content-length", "content-type", "connection", "transfer-encoding",
                  "vary", "content-encoding"}
PROBLEM = "urn:onsale:problem:"
# Bases of others, which close them, and what others have defined.
OPEN = {"Problem", "EventMembers", "PassResult", "VenueRequest", "StripeEvent"}


def object_of(required=(), optional=(), /, **members):
    names = {name: {} for name in (*required, *optional)} | members
    return {"type": "object", "properties": names, "required": list(required),
            "patternProperties": {"^x-": {}}, "additionalProperties": False}


def or_reference(schema):
    return {"if": {"type": "object", "required": ["$ref"]},
            "then": {"properties": {"$ref": {"type": "string"}}, "additionalProperties": False},
            "else": schema}


def map_of(schema, pattern="^.+$"):
    return {"type": "object", "patternProperties": {pattern: schema}, "additionalProperties": False}


TEXT, SCHEMA = {"type": "string", "minLength": 1}, {"type": ["object", "boolean"]}
MEDIA = object_of(["schema"], ["example", "examples"], schema=SCHEMA)
HEADER = object_of(["schema"], ["description", "required", "example"], schema=SCHEMA)
PARAMETER = object_of(["name", "in", "required", "schema"], ["description", "example"],
                      name=TEXT, **{"in": {"enum": ["path", "query", "header", "cookie"]}},
                      required={"type": "boolean"}, schema=SCHEMA)
RESPONSE = object_of(["description", "headers"], description=TEXT,
                     headers=map_of(or_reference(HEADER)), content=map_of(MEDIA, "^[a-z]+/.+$"))
OPERATION = object_of(
    ["operationId", "tags", "summary", "security", "responses"],
    operationId={"type": "string", "pattern": "^[a-z][A-Za-z]+$"}, summary=TEXT, description=TEXT,
    tags={"type": "array", "items": TEXT, "minItems": 1},
    security={"type": "array", "items": map_of({"type": "array"})},
    parameters={"type": "array", "items": or_reference(PARAMETER)},
    requestBody=object_of(["required", "content"], ["description"], content=map_of(MEDIA)),
    responses=map_of(or_reference(RESPONSE), "^[2-5][0-9][0-9]$") | {"minProperties": 1})
# What OpenAPI 3.1 allows, and of that what is used here: whatever else stands there is mistyped.
STRUCTURE = object_of(
    ["openapi", "info", "paths", "components", "tags", "servers"],
    ["jsonSchemaDialect", "security"],
    openapi={"type": "string", "pattern": r"^3\.1\.\d+$"},
    info=object_of(["title", "version"], ["summary", "description", "license"]),
    servers={"type": "array", "items": object_of(["url"])},
    tags={"type": "array", "items": object_of(["name", "description"])},
    paths=map_of({"type": "object", "properties": {method: OPERATION for method in METHODS},
                  "additionalProperties": False, "minProperties": 1}, "^/"),
    components=object_of(
        [], schemas=map_of(SCHEMA), parameters=map_of(or_reference(PARAMETER)),
        headers=map_of(HEADER), responses=map_of(RESPONSE),
        securitySchemes=map_of(object_of(["type", "description"], ["scheme", "name", "in"]))))


class Document:
    def __init__(self, json_document):
        self.root = json_document
        self.validators = {}  # By their schemas, which live as long.
        self.operations = {
            (method.upper(), path): operation
            for path, item in json_document["paths"].items() for method, operation in item.items()}

    def resolve(self, thing):
        while "$ref" in thing:
            at = self.root
            for name in thing["$ref"].removeprefix("#/").split("/"):
                at = at[name]
            thing = at
        return thing

    def validator(self, schema):
        found = self.validators.get(id(schema))
        if not found:
            bundle = {**schema, "components": self.root["components"]}
            found = Draft202012Validator(bundle, format_checker=FormatChecker())
            self.validators[id(schema)] = found
        return found

    def faults_of(self, schema, value, what):
        return [f"{what}: at /{'/'.join(map(str, fault.absolute_path))}: {fault.message[:300]}"
                for fault in self.validator(schema).iter_errors(value)]

    def parameters(self, operation):
        return [self.resolve(parameter) for parameter in operation.get("parameters", ())]

    def response(self, operation, status):
        found = operation["responses"].get(str(status))
        return None if found is None else self.resolve(found)

    def problem_types(self, response):
        """The types that a response may have."""
        media = response.get("content", {}).get("application/problem+json")
        if not media:
            return []
        schemas = media["schema"].get("oneOf", [media["schema"]])
        return [self.resolve(schema)["properties"]["type"]["const"].removeprefix(PROBLEM)
                for schema in schemas]


# ---- The document by itself ----

def walk(thing, path=""):
    yield path, thing
    items = thing.items() if isinstance(thing, dict) else \
        enumerate(thing) if isinstance(thing, list) else ()
    for name, value in items:
        yield from walk(value, f"{path}/{name}")


def references_of(root):
    """Every reference, and where it stands. A property may have any name, also this one."""
    return [(path, thing["$ref"]) for path, thing in walk(root)
            if isinstance(thing, dict) and isinstance(thing.get("$ref"), str)]


def check_structure(document):
    """Whether it is a document at all; if not, nothing can be judged by it."""
    faults = [f"structure: /{'/'.join(map(str, fault.absolute_path))}: {fault.message[:300]}"
              for fault in Draft202012Validator(STRUCTURE).iter_errors(document.root)]
    for path, reference in references_of(document.root):
        try:
            document.resolve({"$ref": reference})
        except (KeyError, TypeError):
            faults.append(f"{path}: there is no {reference}")
    return faults


def check_use(document):
    used = {reference for _, reference in references_of(document.root)}
    used.add("#/components/responses/MethodNotAllowed")  # What all paths have.
    return [f"components/{kind}/{name}: nobody refers to it"
            for kind, things in document.root["components"].items() for name in things
            if kind != "securitySchemes" and f"#/components/{kind}/{name}" not in used]


def check_operations(document):
    root, faults, seen = document.root, [], set()
    tags = {tag["name"] for tag in root["tags"]}
    for (method, path), operation in document.operations.items():
        where = f"{method} {path}"
        named = {p["name"] for p in document.parameters(operation) if p["in"] == "path"}
        if named != set(re.findall(r"{(\w+)}", path)):
            faults.append(f"{where}: the parameters of the path are {sorted(named)}")
        if operation["operationId"] in seen:
            faults.append(f"{where}: the operationId is used twice")
        seen.add(operation["operationId"])
        faults += [f"{where}: there is no tag {tag}" for tag in set(operation["tags"]) - tags]
        faults += [f"{where}: there is no security scheme {name}"
                   for choice in operation["security"] for name in choice
                   if name not in root["components"]["securitySchemes"]]
    return faults


def check_schemas(document):
    """Schemas are schemas, objects are closed, and examples are examples."""
    faults = []
    for name, schema in document.root["components"]["schemas"].items():
        try:
            Draft202012Validator.check_schema(schema)
        except Exception as fault:  # jsonschema's own, or of an expression.
            faults.append(f"schema {name}: {fault}")
            continue
        for path, part in walk(schema, name):
            is_object = isinstance(part, dict) and part.get("type") == "object"
            if is_object and name not in OPEN and \
                    not {"additionalProperties", "unevaluatedProperties"} & part.keys():
                faults.append(f"schema {path}: the object is not closed")
            if not isinstance(part, dict) or "enum" in part:
                continue
            for i, example in enumerate(part.get("examples", ())):
                faults += document.faults_of(part, example, f"{path}: example {i}")
    for path, part in walk(document.root["paths"]):
        if path.endswith("/schema"):
            Draft202012Validator.check_schema(part)
    for name, header in document.root["components"]["headers"].items():
        if "example" in header:
            faults += document.faults_of(header["schema"], header["example"], f"header {name}")
    return faults


def check_document(document):
    return check_use(document) + check_operations(document) + check_schemas(document)


# ---- The document and the server ----

def check_routes(document, routes):
    """Both ways: `routes` are (method, pattern) as the server's metrics tell them."""
    told = {(method, operation.get("x-route", path))
            for (method, path), operation in document.operations.items()}
    return [f"the server has {method} {path}, the document has not"
            for method, path in sorted(routes - told)] + [
            f"the document has {method} {path}, the server has not"
            for method, path in sorted(told - routes)]


class Record:
    """A request and its reply."""

    def __init__(self, method, path, **rest):
        self.key = (method, path)
        self.parameters, self.body = {}, None  # (in, name): text; what was sent as JSON.
        self.status, self.headers, self.content = 0, [], b""
        self.events = []  # (type, data) of a stream.
        self.wrong = False  # Whether the document must say that the request is wrong.
        self.__dict__.update(rest)

    def __str__(self):
        return f"{' '.join(self.key)} → {self.status}"

    def header(self, name):
        return [value for given, value in self.headers if given.lower() == name.lower()]

    def problem_type(self):
        if "application/problem+json" not in self.header("Content-Type"):
            return None
        return json.loads(self.content).get("type", "").removeprefix(PROBLEM)


def judge_request(document, record):
    operation, faults = document.operations[record.key], []
    for parameter in document.parameters(operation):
        given = record.parameters.get((parameter["in"], parameter["name"].lower()))
        what = f"{record}: the request's {parameter['name']}"
        if given is None:
            faults += [f"{what} is missing"] if parameter["required"] else []
            continue
        schema = document.resolve(parameter["schema"])
        value = int(given) if schema.get("type") == "integer" and given.isdigit() else given
        faults += document.faults_of(parameter["schema"], value, what)
    known = {(p["in"], p["name"].lower()) for p in document.parameters(operation)}
    faults += [f"{record}: the request's {name} is not documented"
               for where, name in record.parameters if (where, name) not in known]
    body = operation.get("requestBody")
    if record.body is None:
        return faults + ([f"{record}: the request has no body"]
                         if body and body["required"] else [])
    if not body:
        return faults + [f"{record}: the request has a body"]
    schema = body["content"]["application/json"]["schema"]
    return faults + document.faults_of(schema, record.body, f"{record}: the request's body")


def judge_headers(document, record, response):
    told = {name.lower(): document.resolve(header)
            for name, header in response["headers"].items()}
    faults = [f"{record}: header {name} is missing" for name, header in told.items()
              if header.get("required") and not record.header(name)]
    for name, value in record.headers:
        header = told.get(name.lower())
        if name.lower() in UNTOLD_HEADERS:
            continue
        if header is None:
            faults.append(f"{record}: header {name} is not documented")
            continue
        kind = document.resolve(header["schema"]).get("type")
        value = int(value) if kind == "integer" and value.isdigit() else value
        faults += document.faults_of(header["schema"], value, f"{record}: header {name}")
    return faults


def judge_content(document, record, response):
    types = record.header("Content-Type")
    content = response.get("content")
    if not content:
        return [f"{record}: content is not documented"] if record.content or types else []
    if len(types) != 1 or types[0] not in content:
        return [f"{record}: content type {types} is not documented"]
    media = content[types[0]]
    if types[0] == "text/event-stream":
        return judge_events(document, record, media["x-events"])
    value = record.content.decode()
    if "json" in types[0]:
        value = json.loads(value)
    return document.faults_of(media["schema"], value, f"{record}")


def judge_size(document, record):
    """A body that was refused as too large: the reply says how large it may be."""
    body = document.operations[record.key].get("requestBody", {"x-bytes-max": 0})
    told = re.search(r"takes (\d+) bytes", json.loads(record.content)["detail"])
    if int(told[1]) == body["x-bytes-max"]:
        return []
    return [f"{record}: {body['x-bytes-max']} bytes are documented, and {told[1]} taken"]


def judge_events(document, record, schemas):
    faults = []
    for kind, data in record.events:
        if kind in schemas:
            faults += document.faults_of(schemas[kind], data, f"{record}: event {kind}")
        else:
            faults.append(f"{record}: event {kind} is not documented")
    return faults


def judge(document, record):
    """What is wrong with one reply, and with the request as far as it is known to be right."""
    if record.status == 405:
        response = document.root["components"]["responses"]["MethodNotAllowed"]
    elif record.key not in document.operations:
        return [f"{record}: the operation is not documented"]
    else:
        response = document.response(document.operations[record.key], record.status)
    if response is None:
        return [f"{record}: the status is not documented ({record.content[:200]!r})"]
    faults = judge_headers(document, record, response) + judge_content(document, record, response)
    if record.status == 413:
        faults += judge_size(document, record)
    if record.status < 400:
        faults += judge_request(document, record)
    elif record.wrong and not judge_request(document, record):
        faults.append(f"{record}: the request is refused, but right by the document")
    return faults


def documented_outcomes(document):
    """(operationId, status, problem's or event's type or None) for all that may be seen."""
    for operation in document.operations.values():
        name = operation["operationId"]
        for status in map(int, operation["responses"]):
            response = document.response(operation, status)
            if status >= 500:
                continue  # Of a server that is as it should be none is seen.
            for kind in document.problem_types(response) or [None]:
                yield name, status, kind
            for media in response.get("content", {}).values():
                for kind in media.get("x-events", ()):
                    yield name, status, kind


def check_coverage(document, records, unprovoked):
    """Whatever is documented was seen, but for what is told with a reason in `unprovoked`."""
    seen = set()
    for record in records:
        if record.key not in document.operations:
            continue
        name = document.operations[record.key]["operationId"]
        seen.add((name, record.status, record.problem_type()))
        seen |= {(name, record.status, kind) for kind, _ in record.events}
    documented = set(documented_outcomes(document))
    wanted = documented - unprovoked.keys()
    stale = unprovoked.keys() - documented
    return [f"documented, and never seen: {' '.join(map(str, outcome))}"
            for outcome in sorted(wanted - seen, key=str)] + [
            f"told as not provoked, and not documented: {outcome}" for outcome in stale]


def check_all(document, routes, records, unprovoked):
    faults = check_structure(document)
    if faults:
        return faults
    faults = check_document(document) + check_routes(document, routes) + \
        check_coverage(document, records, unprovoked)
    for record in records:
        faults += judge(document, record)
    return faults


# ---- That faults are found ----

def without(*path):
    def spoil(root):
        for name in path[:-1]:
            root = root[name]
        del root[path[-1]]
    return spoil


def with_value(value, *path):
    def spoil(root):
        for name in path[:-1]:
            root = root[name]
        root[path[-1]] = value
    return spoil


HOLDS = ("paths", "/events/{eventId}/holds", "post")
SCHEMAS = ("components", "schemas")
SPOILED = (
    ("a path is missing", without("paths", "/holds/{holdId}"), "the document has not"),
    ("a path is too many", with_value({"get": {
        "operationId": "readNothing", "tags": ["browse"], "summary": "x", "security": [],
        "responses": {"200": {"description": "x", "headers": {}}}}}, "paths", "/nothing"),
     "the server has not"),
    ("a status is missing", without(*HOLDS, "responses", "409"), "the status is not documented"),
    ("a status is too many", with_value({"$ref": "#/components/responses/NotFound"}, "paths",
                                        "/healthz", "get", "responses", "404"),
     "never seen: readHealth 404"),
    ("a type is wrong", with_value({"type": "string"}, *SCHEMAS, "NewHold", "properties", "total"),
     "holds → 201"),
    ("a member is missing", without(*SCHEMAS, "Availability", "properties", "sale"),
     "'sale' was unexpected"),
    ("a required member is too many", with_value(["never"], *SCHEMAS, "Order", "required"),
     "'never' is a required property"),
    ("a member of a problem is missing",
     without(*SCHEMAS, "SeatsTakenProblem", "properties", "seats"), "holds → 409"),
    ("a header is missing", without(*HOLDS, "responses", "201", "headers", "Location"),
     "header Location is not documented"),
    ("a content type is wrong", with_value({"text/plain": {"schema": {"type": "string"}}}, "paths",
                                           "/healthz", "get", "responses", "200", "content"),
     "content type"),
    ("an event is missing", without(
        "paths", "/events/{eventId}/stream", "get", "responses", "200", "content",
        "text/event-stream", "x-events", "seats"), "event seats is not documented"),
    ("a bound of a request is too wide", with_value(
        11, *SCHEMAS, "BestWish", "properties", "quantity", "maximum"), "right by the document"),
    ("a bound of a request is too narrow", with_value(
        1, *SCHEMAS, "BestWish", "properties", "quantity", "maximum"), "the request's body"),
    ("an object is open", without(*SCHEMAS, "Order", "additionalProperties"), "not closed"),
    ("a body's bound is wrong", with_value(4000, "paths", "/orders", "post", "requestBody",
                                           "x-bytes-max"), "4000 bytes are documented"),
    ("a reference leads nowhere", without(*SCHEMAS, "Seat"), "there is no #/components"),
    ("a keyword is mistyped", with_value("x", *HOLDS, "sumary"), "structure"),
)


def few_of(records):
    """Enough of each kind; large ones cost most, and show nothing here that small ones do not."""
    kinds = {}
    for record in records:
        if len(record.content) < 8000:
            kind = (record.key, record.status, record.problem_type(), record.wrong)
            kinds.setdefault(kind, []).append(record)
    return [record for kind in kinds.values() for record in kind[:6]]


def check_checker(root, routes, records, unprovoked):
    """The right document has no faults (whoever calls has seen that); each spoiled one has the
    fault that was made."""
    faults, records = [], few_of(records)
    for what, spoil, expected in SPOILED:
        spoiled = copy.deepcopy(root)
        spoil(spoiled)
        found = check_all(Document(spoiled), routes, records, unprovoked)
        if not any(expected in fault for fault in found):
            faults.append(f"not found: {what}; but {found[:3]}")
    print(f"{len(SPOILED)} spoiled documents, {len(SPOILED) - len(faults)} found out")
    return faults
