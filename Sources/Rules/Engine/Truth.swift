/// Yes, no, or nothing known: no data is a state of its own, never "fine".
enum Truth: UInt8, Sendable {
  case no = 0
  case yes = 1
  case unknown = 2

  init(_ flag: Bool?) {
    switch flag {
    case true?: self = .yes
    case false?: self = .no
    case nil: self = .unknown
    }
  }

  /// Kleene's: one no decides.
  func and(_ other: Truth) -> Truth {
    if self == .no || other == .no { return .no }
    return self == .unknown || other == .unknown ? .unknown : .yes
  }

  /// Kleene's: one yes decides.
  func or(_ other: Truth) -> Truth {
    if self == .yes || other == .yes { return .yes }
    return self == .unknown || other == .unknown ? .unknown : .no
  }

  var negated: Truth { self == .yes ? .no : self == .no ? .yes : .unknown }
}
