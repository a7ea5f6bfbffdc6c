// swift-tools-version: 6.2
import PackageDescription

/// Every Swift target: Swift 6 mode, warnings are errors, unsafe code is marked.
let strict: [SwiftSetting] = [
  .strictMemorySafety(), .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"), .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

func library(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func program(_ name: String, _ dependencies: [Target.Dependency], path: String? = nil) -> Target {
  .executableTarget(name: name, dependencies: dependencies, path: path, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
  .testTarget(
    name: name + "Tests", dependencies: dependencies + ["TestSupport"], exclude: exclude, swiftSettings: strict)
}

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

let package = Package(
  name: "signalbox",
  products: [
    .executable(name: "signalbox", targets: ["signalbox"]),
    .executable(name: "signalbox-agent", targets: ["signalbox-agent"]),
    .executable(name: "signalbox-collector", targets: ["signalbox-collector"]),
    .executable(name: "signalbox-console", targets: ["signalbox-console"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
    .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    // C ring
    .systemLibrary(name: "CNGHTTP2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),
    .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
    .systemLibrary(name: "CProtobufC", pkgConfig: "libprotobuf-c", providers: [.apt(["libprotobuf-c-dev"])]),
    .systemLibrary(name: "CPGQuery", providers: [.apt(["libpg-query-dev"])]),
    .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .target(name: "CLinux"),
    .target(name: "CNVML", dependencies: ["CLinux"]),
    .target(name: "CSQLite", dependencies: ["CLinux"]),
    .target(name: "CSchema", dependencies: ["CProtobufC"], publicHeadersPath: "."),
    // Pure and wrapper rings
    library("FleetModel"),
    library("Incidents", ["FleetModel"]),
    library("Schema", ["CSchema", "CProtobufC", "FleetModel"]),
    library("Files", ["CLinux"]),
    library("EventLoop", ["CLinux", "Files"]),
    library("TLS", ["COpenSSL", "FleetModel", "Files"]),
    library("HTTP2", ["CNGHTTP2"]),
    library("NVML", ["CNVML", "FleetModel"]),
    library("SQLite", ["CSQLite"]),
    library("RPC"),
    library("Transport", ["Files", "EventLoop", "TLS", "HTTP2", "RPC"]),
    library("Postgres", ["CLibPQ", "Files"]),
    library("Rules", ["FleetModel", "Files"]),
    library("RuleFiles", ["Rules", "FleetModel", "Files", yams]),
    library("Outbound", ["CCurl"]),
    library("Compression", ["CZlib"]),
    // Linked statically: the shared library comes with the headers only, which a host that runs a program has not.
    .target(
      name: "SQLParser", dependencies: ["CPGQuery"], swiftSettings: strict,
      linkerSettings: [.linkedLibrary(":libpg_query.a")]),
    // Programs
    library("Store", ["Postgres", "FleetModel", "Incidents"]),
    library("SiteConfiguration", ["FleetModel", "Incidents", "Files", "EventLoop", "Store", "Rules", "RuleFiles"]),
    library("Paging", ["Rules", "FleetModel", "Incidents", "Files", "TLS", "Store", "Outbound", "SiteConfiguration"]),
    library("Agent", ["FleetModel", "Schema", "Files", "EventLoop", "NVML", "SQLite", "TLS", "RPC", "Transport"]),
    library(
      "Collector",
      [
        "FleetModel", "Incidents", "Schema", "Files", "EventLoop", "TLS", "RPC", "Transport", "Store", "Postgres",
        "Paging", "Outbound", "Rules", "RuleFiles", "SiteConfiguration", logging,
      ]),
    library(
      "Simulation",
      ["FleetModel", "Schema", "Files", "Store", "Agent", "Collector", "Incidents", "Paging", "SiteConfiguration"]),
    library("Answers", ["FleetModel", "Incidents", "Store"]),
    library("Enrolment", ["FleetModel", "Store", "TLS"]),
    library("SQLGuard", ["SQLParser", "FleetModel", "Store"]),
    library(
      "Commands",
      [
        "Answers", "FleetModel", "Incidents", "Files", "EventLoop", "TLS", "Postgres", "Store", "Rules", "RuleFiles",
        "SiteConfiguration", "Outbound", "SQLGuard", "Enrolment",
        argumentParser,
      ]),
    .target(
      name: "Console",
      dependencies: [
        "Answers", "Compression", "FleetModel", "Incidents", "Files", "EventLoop", "TLS", "Postgres", "Store",
        "SQLGuard", "Enrolment", "Outbound", logging,
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HummingbirdCore", package: "hummingbird"),
        .product(name: "HummingbirdHTTP2", package: "hummingbird"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "NIOTLS", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"), .product(name: "NIOWebSocket", package: "swift-nio"),
        .product(name: "NIOHTTP2", package: "swift-nio-http2"), .product(name: "NIOHPACK", package: "swift-nio-http2"),
        .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
        .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      resources: ["console", "fleet", "charts", "tail", "parallel"].map { .embedInCode("Pages/Assets/\($0).js") } + [
        .embedInCode("Clients/signalbox.py")
      ],
      swiftSettings: strict),
    program("signalbox-agent", ["Agent"]),
    program(
      "signalbox-console", ["Console", "EventLoop", "Files", "FleetModel", "Postgres", argumentParser, logging]),
    program(
      "signalbox-collector", ["Collector", "EventLoop", "Files", "FleetModel", "Postgres", argumentParser, logging]),
    program("signalbox", ["Commands"]),
    program("signalbox-simulate", ["Simulation"]),
    program(
      "signalbox-bench",
      [
        "FleetModel", "Schema", "Files", "EventLoop", "TLS", "RPC", "Transport", "Postgres", "Store", "Agent", "Rules",
        "RuleFiles", "TestSupport",
      ],
      path: "Benchmarks/signalbox-bench"),
    // Tests
    .target(
      name: "TestSupport", dependencies: ["FleetModel", "Files", "Postgres"], path: "Tests/TestSupport",
      exclude: ["timescale.sh"],
      swiftSettings: strict),
    // What the fuzzer feeds, shared with the unit tests that replay its finds.
    .target(
      name: "FuzzTargets",
      dependencies: [
        "FleetModel", "Schema", "Files", "HTTP2", "RPC", "TLS", "Agent", "Rules", "RuleFiles", "Store", "Paging",
        "Collector", "Incidents", "SiteConfiguration",
      ],
      path: "Tests/Fuzz/Targets",
      swiftSettings: strict),
    tests("Fuzz", ["FuzzTargets", "FleetModel", "Store", "Postgres"]),
    tests("Architecture", []),
    tests("FleetModel", ["FleetModel"]),
    tests("Incidents", ["Incidents", "FleetModel"]),
    tests("Schema", ["Schema", "FleetModel"]),
    tests("Files", ["Files"]),
    tests("EventLoop", ["EventLoop", "Files"]),
    tests("TLS", ["TLS", "FleetModel", "Files"]),
    tests("HTTP2", ["HTTP2"]),
    tests("NVML", ["NVML", "FleetModel"]),
    tests("RPC", ["RPC"]),
    tests("Transport", ["Transport", "Files", "EventLoop", "TLS", "HTTP2", "RPC"], exclude: ["Interop"]),
    tests("Rules", ["Rules", "RuleFiles", "FleetModel", "Schema", "Files", "Agent"]),
    tests("Postgres", ["Postgres", "Files"]),
    tests("Store", ["Store", "Postgres", "FleetModel", "Incidents", "Rules", "RuleFiles"]),
    tests("Outbound", ["Outbound"]),
    tests("SQLGuard", ["SQLGuard", "SQLParser", "Store", "FleetModel", "Postgres"]),
    tests(
      "Paging",
      [
        "Paging", "Outbound", "Store", "Postgres", "FleetModel", "Incidents", "Files", "TLS", "EventLoop", "Collector",
        "SiteConfiguration", logging,
      ]),
    tests("Agent", ["Agent", "FleetModel", "Schema", "Files", "EventLoop", "TLS", "Postgres", "signalbox-agent"]),
    tests(
      "Collector",
      [
        "Collector", "Paging", "Store", "Postgres", "FleetModel", "Incidents", "Schema", "Files", "TLS", "EventLoop",
        "Rules", "RuleFiles", "SiteConfiguration", logging,
      ]),
    tests(
      "SiteConfiguration",
      ["SiteConfiguration", "Incidents", "Store", "Rules", "RuleFiles", "FleetModel", "Files"]),
    tests(
      "Console",
      [
        "Console", "Answers", "Store", "Postgres", "FleetModel", "Incidents", "TLS", "Files", "signalbox-console",
        "Compression", "Outbound", logging,
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOEmbedded", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
      ]),
    tests("Commands", ["Commands", "Answers", "Store", "Postgres", "FleetModel", "Incidents", argumentParser]),
    tests("Simulation", ["Simulation", "FleetModel", "Incidents", "Paging", "Postgres", "Store"]),
    tests(
      "EndToEnd",
      [
        "FleetModel", "Incidents", "Files", "TLS", "Postgres", "Store", "Paging", "Collector", "SiteConfiguration",
        "Console", "signalbox", "signalbox-agent", "signalbox-collector", "signalbox-console",
        .product(name: "HTTPTypes", package: "swift-http-types"),
      ]),
  ],
  swiftLanguageModes: [.v6]
)

// The fuzzer itself: Tests/Fuzz/run.sh sets the variable.
if Context.environment["SIGNALBOX_FUZZ"] != nil {
  package.targets.append(
    .executableTarget(
      name: "FuzzDriver", dependencies: ["FuzzTargets"], path: "Tests/Fuzz/Driver",
      swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])],
      // gold, the default linker, crashes on the sanitizer's sections.
      linkerSettings: [.unsafeFlags(["-sanitize=fuzzer,address", "-use-ld=lld"])]))
}
