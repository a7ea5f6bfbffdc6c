/// One HTTP request to a server outside the fleet.
package struct HTTPRequest: Sendable, Equatable {
  package var method: String
  package var url: String
  /// `Name: value`, as they go out.
  package var headers: [String]
  package var body: [UInt8]
  /// File of the authorities that the server's certificate may come from (PEM), and no others; nil for the system's.
  package var authorities: String?
  /// More of the answer is cut.
  package var answerBytesMax = OutboundLimits.answerBytesMax

  package init(method: String = "POST", url: String, headers: [String] = [], body: [UInt8] = []) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
  }
}

/// One message to a mail server.
package struct MailRequest: Sendable, Equatable {
  /// `smtp://host:25` (STARTTLS where the server offers it, unless `requiresTLS`) or `smtps://host:465`.
  package var url: String
  package var from: String
  package var to: [String]
  package var user: String?
  package var password: String?
  /// Refuses a server without STARTTLS.
  package var requiresTLS: Bool
  /// File of the authorities that the server's certificate may come from (PEM), and no others; nil for the system's.
  package var authorities: String?
  /// Head and body, lines ended by CRLF.
  package var message: [UInt8]

  package init(url: String, from: String, to: [String], message: [UInt8]) {
    self.url = url
    self.from = from
    self.to = to
    self.message = message
    requiresTLS = false
  }
}

/// What goes out.
package enum OutboundRequest: Sendable, Equatable {
  case http(HTTPRequest)
  case mail(MailRequest)
}

/// What came back.
package struct OutboundAnswer: Sendable, Equatable {
  /// HTTP's status, or SMTP's last reply code.
  package var code: Int
  /// At most as much as the request takes; more is cut.
  package var body: [UInt8]
  /// There was more.
  package var isCut = false
  /// Seconds of a Retry-After header.
  package var retryAfterSeconds: Int?
  /// A mail server's reply to each address, in the request's order; empty where the mail never got so far.
  package var recipients: [RecipientReply] = []

  package init(code: Int, body: [UInt8] = [], retryAfterSeconds: Int? = nil) {
    self.code = code
    self.body = body
    self.retryAfterSeconds = retryAfterSeconds
  }
}

/// What a mail server replied to one address (RFC 5321 4.2).
package struct RecipientReply: Sendable, Equatable {
  package var address: String
  package var code: Int
  package var text: String

  package init(address: String, code: Int, text: String) {
    self.address = address
    self.code = code
    self.text = text
  }
}

/// Why there was no answer. Never holds a URL: its path or user part may be a secret.
package struct OutboundError: Error, Sendable, Equatable, CustomStringConvertible {
  /// libcurl's code, curl.se/libcurl/c/libcurl-errors.html; 0 where libcurl was not asked.
  package let code: Int
  package let message: String

  package init(code: Int, message: String) {
    self.code = code
    self.message = message
  }

  package var description: String { message }
}

/// Bounds of what goes out and comes back, and why.
package enum OutboundLimits {
  /// PagerDuty's for one event; nothing that pages is longer.
  package static let requestBytesMax = 512 << 10
  /// An answer is read for one sentence of an error.
  package static let answerBytesMax = 64 << 10
  /// Transfers at once; more is refused and tried again.
  package static let transfersMax = 64
}
