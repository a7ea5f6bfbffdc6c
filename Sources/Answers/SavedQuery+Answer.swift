package import Store

extension SavedQuery {
  /// Of an answer to `SavedQueries.list`, in its order.
  package static func all(in answer: Answer) -> [SavedQuery] {
    let places = ["name", "description", "sql", "parameters"].map { name in
      answer.columns.firstIndex { $0.name == name }
    }
    return answer.rows.map { row in
      let texts = places.map { place -> String in
        if let place, case .text(let text) = row[place] { text } else { "" }
      }
      return SavedQuery(
        name: texts[0], description: texts[1], sql: texts[2],
        parameters: texts[3].split(separator: ",").map(String.init))
    }
  }
}
