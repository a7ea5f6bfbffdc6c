package import FleetModel

/// A class of failures: which raised lines and which ends of a process show it, and what to do about it.
package struct FailureClass: Sendable {
  /// Small letters and dashes, such as `device-memory`.
  package var id = ""
  /// What follows "Training failed: ", such as "out of GPU memory".
  package var title = ""
  package var kind = Diagnosis.Kind.root
  /// Its incidents are never more severe.
  package var severity = Severity.p1
  /// Any other class that fits as well says more.
  package var isGeneric = false
  /// Programs often go on, or try again, after a line of it: only a longer silence shows that one has ended.
  package var isRetried = false
  /// What a raised line must hold: one of these.
  package var patterns: [LinePattern] = []
  /// Or, at any level, what a shell, the kernel or a launcher says of a program that has ended: one of these.
  package var ends: [LinePattern] = []
  /// And none of these.
  package var exceptions: [LinePattern] = []
  /// Least level of a line that has one. Lines without a level count as well.
  package var level = Level.error
  /// Signals whose number alone shows it.
  package var signals: [Int32] = []
  package var causes: [String] = []
  package var steps: [String] = []
  /// Whether to start it again, and where.
  package var retry = ""
  package var source = ""
  package var file = ""
  package var line = 0

  package init() {}
}

/// Which failures a rule is about.
package struct FailureQuery: Sendable, Equatable {
  /// Ids of classes; empty = all but `except`.
  package var classes: Set<String> = []
  package var except: Set<String> = []
  /// Whether the end of the process is known; nil = either.
  package var isEndKnown: Bool?

  package init() {}

  func fits(_ diagnosis: Diagnosis, isEndKnown known: Bool) -> Bool {
    (isEndKnown ?? known) == known && (classes.isEmpty || classes.contains(diagnosis.failureClass))
      && !except.contains(diagnosis.failureClass)
  }
}
