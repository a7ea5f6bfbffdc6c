internal import Answers

/// A page as what it says, from which follow its HTML, its Markdown and its JSON: none of them can say more than the others.
struct Page: Sendable {
  enum Block: Sendable {
    case heading(String)
    case text(String)
    /// Stands out: what is wrong, or what now happens.
    case notice(String)
    /// What has just been changed.
    case done(String)
    /// - Parameter name: key in the JSON twin.
    case table(name: String, Answer, links: [Link] = [], empty: String)
    /// - Parameter isNumbered: steps, in their order.
    case items([String], isNumbered: Bool)
    /// Text as it was written, with its line breaks, such as a traceback.
    case quoted([String])
    case form(Form)
    /// A form that asks: its fields stand in the address, so that a search can be sent to somebody.
    case search(Search)
    case charts([Chart])
    /// Below each other: of one axis.
    case stack([Chart])
    /// Where else to go from here.
    case links([(name: String, path: String)])
    /// Other views of the same, of which one is shown.
    case choices(String, [Choice])
    case map(FleetMap)
    case parallel(ParallelChart)
  }

  struct Choice: Sendable {
    let name: String
    let path: String
    let isChosen: Bool

    init(_ name: String, _ path: String, isChosen: Bool = false) {
      (self.name, self.path, self.isChosen) = (name, path, isChosen)
    }
  }

  /// Where the values of a column lead.
  struct Link: Sendable {
    let column: String
    /// Before the value.
    let path: String
    /// The column whose value stands in the address; nil: the same one.
    var key: String?
    /// The key's value is the address, which the page itself has made.
    var isWhole = false
  }

  /// A button that changes something, with the fields that it sends.
  struct Form: Sendable {
    struct Input: Sendable {
      let name: String
      let label: String
      /// What stands in it at first.
      var value = ""
      var isSecret = false
      /// Sent and not shown: `value` cannot be changed.
      var isHidden = false
      /// Several lines.
      var isLong = false
      /// May stay empty.
      var isOptional = false
    }

    let path: String
    let button: String
    var inputs: [Input] = []
    var isMain = false
  }

  struct Search: Sendable {
    struct Input: Sendable {
      let name: String
      let label: String
      let value: String
      /// Fixed choices; empty for a text.
      var choices: [String] = []
      /// Asked for and not shown.
      var isHidden = false
    }

    let path: String
    let button: String
    let inputs: [Input]
  }

  let title: String
  var blocks: [Block]
  /// The same on the command line.
  var command: String?
  /// Of a page of the past: the moment to which ages count, ns since 1970; nil: now.
  var atNs: Int64?
  /// Of a page that the script keeps current: another text once there is something else to show.
  var live: String?
  /// Of a page of lines: the address of those that arrive.
  var tail: String?

  /// To which its ages count, ns since 1970.
  func agesNs(_ nowNs: Int64) -> Int64 { atNs ?? nowNs }

  var hasParallel: Bool { blocks.contains { if case .parallel = $0 { true } else { false } } }

  /// It has a chart that a script may draw.
  var hasCharts: Bool {
    blocks.contains { block in
      switch block {
      case .charts(let charts), .stack(let charts): charts.contains { !$0.lines.isEmpty }
      default: false
      }
    }
  }
}
