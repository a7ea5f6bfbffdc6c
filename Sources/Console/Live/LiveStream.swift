internal import FleetModel
internal import Hummingbird
internal import HummingbirdCore
internal import NIOCore
internal import ServiceLifecycle
internal import Store

/// One viewer's stream of server-sent events.
struct LiveStream: Sendable {
  let hub: LiveHub
  let caller: Caller
  /// It ends after so many frames; nil: with its session.
  let frames: Int?
  /// Calls what it is given once the client has gone: without it the stream would wait for its next event for as long as there is none.
  let whenGone: @Sendable (@escaping @Sendable () -> Void) -> Void

  /// Goes on until the viewer leaves, its session ends, or the server stops. It counts as a viewer only while it is written.
  var body: ResponseBody {
    ResponseBody { [hub, caller, frames, whenGone] writer in
      // A browser that lost the stream comes back after this many ms.
      try await writer.write(ByteBuffer(string: "retry: 3000\n\n"))
      if let id = hub.join(caller) {
        defer { hub.leave(id) }
        whenGone { hub.end(id, .gone) }
        try await withGracefulShutdownHandler {
          try await Self.write(hub, id, frames ?? .max, &writer)
        } onGracefulShutdown: {
          hub.end(id, .stopping)
        }
      } else {
        try await writer.write(LiveFrame.event("end", [("reason", .text(LiveHub.tooMany.detail))]))
      }
      try await writer.finish(nil)
    }
  }

  @concurrent private static func write(
    _ hub: LiveHub, _ id: Int, _ frames: Int, _ writer: inout any ResponseBodyWriter
  ) async throws {
    var left = frames
    while left > 0 {
      switch await hub.next(id) {
      case .whole(let frame, let lost):
        if lost > 0 { try await writer.write(LiveFrame.event("resync", [("lost", .number(Int64(lost)))])) }
        try await writer.write(frame.whole)
        left -= 1
      case .changes(let buffer):
        try await writer.write(buffer)
        left -= 1
      case .away(let buffer): try await writer.write(buffer)
      case .comment: try await writer.write(LiveFrame.comment)
      case .end(.gone): return
      case .end(let why): return try await writer.write(LiveFrame.event("end", [("reason", .text(why.rawValue))]))
      }
    }
    try await writer.write(LiveFrame.event("end", [("reason", .text("as many frames as were asked for"))]))
  }
}
