internal import FleetModel
internal import HTTPTypes

/// The table of routes as OpenAPI 3.1. Source: spec.openapis.org/oas/v3.1.1.
enum OpenAPI {
  static func document(_ routes: [Route]) -> JSON {
    let shown = routes.filter { $0.path.hasPrefix("/api/") || $0.path == "/healthz" }
    let paths = Dictionary(grouping: shown, by: \.path).sorted { $0.key < $1.key }
    return .object([
      ("openapi", .text("3.1.0")),
      (
        "info",
        .object([
          ("title", .text("Signalbox")), ("version", .text("1")),
          ("description", .text("What a fleet of training machines reports, and what is done about it.")),
        ])
      ),
      (
        "paths",
        .object(
          paths.map { path, routes in
            (
              path,
              .object(
                routes.sorted { $0.method.rawValue < $1.method.rawValue }.map {
                  ($0.method.rawValue.lowercased(), operation($0))
                })
            )
          })
      ),
      ("components", components),
    ])
  }

  private static func operation(_ route: Route) -> JSON {
    var fields: [(String, JSON)] = [
      ("operationId", .text(route.operationID)), ("summary", .text(route.summary)),
      ("security", .list(route.role == nil ? [] : [.object([("token", .list([]))])])),
      ("x-role", .optional(route.role?.rawValue)),
    ]
    if !route.parameters.isEmpty { fields.append(("parameters", .list(route.parameters.map(parameter)))) }
    if !route.fields.isEmpty { fields.append(("requestBody", body(route.fields, route.anyOf))) }
    fields.append(("responses", responses(route)))
    return .object(fields)
  }

  private static func parameter(_ parameter: Route.Parameter) -> JSON {
    .object([
      ("name", .text(parameter.name)), ("in", .text(parameter.place.rawValue)),
      ("required", .boolean(parameter.isRequired)), ("description", .text(parameter.summary)),
      ("schema", schema(parameter.kind)), ("example", example(parameter)),
    ])
  }

  private static func example(_ parameter: Route.Parameter) -> JSON {
    if case .integer = parameter.kind { return Int64(parameter.example).map(JSON.number) ?? .null }
    if case .number = parameter.kind { return Double(parameter.example).map(JSON.real) ?? .null }
    return .text(parameter.example)
  }

  static func schema(_ kind: Route.Parameter.Kind) -> JSON {
    switch kind {
    case .text:
      .object([
        ("type", .text("string")), ("minLength", .number(1)),
        ("maxLength", .number(Int64(ParameterLimits.charactersMax))),
      ])
    case .opaque:
      .object([
        ("type", .text("string")), ("minLength", .number(1)), ("maxLength", .number(Int64(ParameterLimits.opaqueMax))),
      ])
    case .integer(let range):
      .object([
        ("type", .text("integer")), ("minimum", .number(range.lowerBound)), ("maximum", .number(range.upperBound)),
      ])
    // Beyond it is what no double holds.
    case .number: .object([("type", .text("number")), ("minimum", .real(-1e300)), ("maximum", .real(1e300))])
    case .choice(let words): .object([("type", .text("string")), ("enum", .texts(words))])
    case .moment:
      .object([
        ("type", .text("string")), ("pattern", .text("^(\(age)|\(time))$")),
        ("description", .text("an age such as 2h, or a time of RFC 3339")),
      ])
    }
  }

  /// As wide as what is taken; that a day is in the calendar, or `since` before `until`, no pattern says.
  private static let age = "([0-9]+(ms|us|ns|s|m|h|d|w))+"
  private static let time = "[0-9]{4}-[0-9]{2}-[0-9]{2}[0-9T:.Z+-]*"

  private static func body(_ fields: [Route.Field], _ anyOf: [String]) -> JSON {
    let properties = fields.map { field in
      var members: [(String, JSON)] = [
        ("type", .text("string")), ("minLength", .number(field.isOptional ? 0 : 1)),
        ("maxLength", .number(Int64(field.charactersMax))), ("description", .text(field.summary)),
      ]
      // What is only blank counts as not given.
      if !field.isOptional { members.append(("pattern", .text(field.isAge ? "^\(age)$" : "[^\\s]"))) }
      return (field.name, JSON.object(members))
    }
    var schema: [(String, JSON)] = [
      ("type", .text("object")), ("required", .texts(fields.filter { !$0.isOptional }.map(\.name))),
      ("properties", .object(properties)), ("additionalProperties", .boolean(false)),
    ]
    if !anyOf.isEmpty {
      schema.append(("anyOf", .list(anyOf.map { .object([("required", .texts([$0]))]) })))
    }
    return .object([
      ("required", .boolean(true)),
      ("content", .object([("application/json", .object([("schema", .object(schema))]))])),
    ])
  }

  private static func responses(_ route: Route) -> JSON {
    var all: [(String, JSON)] = [("200", success(route.shape))]
    let problems = [
      ("400", "A parameter is not what it must be."), ("401", "Nobody is logged in."),
      ("403", "The role is too small."),
      ("404", "Nothing has that name."), ("413", "The body has more than 64 KiB."),
      ("429", "Too many refused logins from one address."), ("406", "None of the accepted forms can be given."),
      ("503", "The database does not answer, or too many questions wait."),
    ]
    for (status, sentence) in problems where route.role != nil || status == "503" || status == "400" {
      all.append(
        (
          status,
          .object([
            ("description", .text(sentence)),
            (
              "content",
              .object([
                (
                  "application/problem+json",
                  .object([("schema", .object([("$ref", .text("#/components/schemas/Problem"))]))])
                )
              ])
            ),
          ])
        ))
    }
    return .object(all)
  }

  private static func success(_ shape: Route.Shape) -> JSON {
    let content: [(String, JSON)] =
      switch shape {
      case .list, .rows:
        [("application/json", reference("List"))]
          + ["application/x-ndjson", "text/csv", "text/markdown"].map { ($0, text) }
      case .one: [("application/json", reference("Item"))]
      case .change: [("application/json", reference("Change"))]
      case .page: [("text/html", text)]
      case .stream: [("text/event-stream", text), ("application/x-ndjson", text)]
      case .document(let type): [(type, type == "application/json" ? .object([]) : text)]
      }
    return .object([("description", .text("The answer.")), ("content", .object(content))])
  }

  private static let text = JSON.object([("schema", .object([("type", .text("string"))]))])

  private static func reference(_ name: String) -> JSON {
    .object([("schema", .object([("$ref", .text("#/components/schemas/\(name)"))]))])
  }

  private static var components: JSON {
    let object = JSON.object([("type", .text("object"))])
    let names = JSON.object([("type", .text("array")), ("items", .object([("type", .text("string"))]))])
    let integer = JSON.object([("type", .text("integer"))])
    let string = JSON.object([("type", .text("string"))])
    let hosts = required([
      ("asked", integer), ("answered", integer), ("late", names), ("silent", names), ("never", names),
    ])
    let meta = required([("as_of", string), ("hosts", hosts), ("truncated", .object([("type", .text("boolean"))]))])
    let item = JSON.object([("type", .texts(["object", "null"]))])
    return .object([
      (
        "securitySchemes",
        .object([
          ("token", .object([("type", .text("http")), ("scheme", .text("bearer")), ("bearerFormat", .text("sbk_…"))]))
        ])
      ),
      (
        "schemas",
        .object([
          (
            "List",
            required([
              ("items", .object([("type", .text("array")), ("items", object)])),
              ("next", .object([("type", .texts(["string", "null"]))])), ("meta", meta),
            ])
          ),
          ("Item", required([("item", item), ("meta", meta)])),
          ("Change", required([("done", string), ("item", item)])),
          ("Problem", required([("type", string), ("title", string), ("status", integer), ("detail", string)])),
        ])
      ),
    ])
  }

  private static func required(_ fields: [(String, JSON)]) -> JSON {
    .object([("type", .text("object")), ("required", .texts(fields.map(\.0))), ("properties", .object(fields))])
  }
}
