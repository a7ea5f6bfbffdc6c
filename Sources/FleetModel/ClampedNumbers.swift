/// Conversions and sums of numbers that a peer, a file, a receiver or the database chose: the nearest value that the type
/// holds, because a trap would end the program for the whole fleet.
extension FixedWidthInteger {
  /// - Parameter number: in the type's own unit.
  /// - Returns: the nearest whole number; 0 for NaN, the type's least or greatest value for what lies beyond it.
  package init(number: Double) {
    guard !number.isNaN else {
      self = 0
      return
    }
    self = Self(exactly: number.rounded()) ?? (number < 0 ? .min : .max)
  }

  /// - Returns: the sum; the type's least or greatest value where it does not fit.
  package func addingClamped(_ other: Self) -> Self {
    let (sum, isTooFar) = addingReportingOverflow(other)
    return isTooFar ? (other < 0 ? .min : .max) : sum
  }

  /// - Returns: the difference; the type's least or greatest value where it does not fit, so 0 for an unsigned one.
  package func subtractingClamped(_ other: Self) -> Self {
    let (difference, isTooFar) = subtractingReportingOverflow(other)
    return isTooFar ? (other < 0 ? .max : .min) : difference
  }

  /// - Returns: the product; the type's least or greatest value where it does not fit.
  package func multipliedClamped(by other: Self) -> Self {
    let (product, isTooFar) = multipliedReportingOverflow(by: other)
    return isTooFar ? ((self < 0) != (other < 0) ? .min : .max) : product
  }
}
