/// gRPC status codes: https://github.com/grpc/grpc/blob/master/doc/statuscodes.md
package enum RPCCode: Int, Sendable, CaseIterable {
  case ok = 0
  case cancelled = 1
  case unknown = 2
  case invalidArgument = 3
  case deadlineExceeded = 4
  case notFound = 5
  case alreadyExists = 6
  case permissionDenied = 7
  case resourceExhausted = 8
  case failedPrecondition = 9
  case aborted = 10
  case outOfRange = 11
  case unimplemented = 12
  case `internal` = 13
  case unavailable = 14
  case dataLoss = 15
  case unauthenticated = 16
}

/// How a call ended.
package struct RPCStatus: Error, Sendable, Equatable, CustomStringConvertible {
  package let code: RPCCode
  /// For people; never a secret.
  package let message: String

  package init(_ code: RPCCode, _ message: String = "") {
    self.code = code
    self.message = message
  }

  package static let ok = RPCStatus(.ok)
  package var description: String { message.isEmpty ? "\(code)" : "\(code): \(message)" }

  /// What a reset stream means: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md "HTTP2 Transport Mapping".
  package static func ofReset(_ errorCode: UInt32) -> RPCStatus {
    switch errorCode {
    case 7: RPCStatus(.unavailable, "the peer refused the stream")
    case 8: RPCStatus(.cancelled, "the peer cancelled the call")
    case 0xb: RPCStatus(.resourceExhausted, "the peer asks for calm")
    case 0xc: RPCStatus(.permissionDenied, "the peer asks for more security")
    default: RPCStatus(.internal, "the peer reset the stream with HTTP/2 error \(errorCode)")
    }
  }

  /// What an answer without grpc-status means: https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md
  package static func ofHTTP(_ status: Int) -> RPCStatus {
    let code: RPCCode =
      switch status {
      case 400: .internal
      case 401: .unauthenticated
      case 403: .permissionDenied
      case 404: .unimplemented
      case 429, 502, 503, 504: .unavailable
      default: .unknown
      }
    return RPCStatus(code, "HTTP status \(status)")
  }
}
