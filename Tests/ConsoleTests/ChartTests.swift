import Answers
import Files
import FleetModel
import Store
import Testing

@testable import Console

@Suite struct ChartTests {
  private let minuteNs: Int64 = 60_000_000_000

  private func chart(_ minutes: [(Int64, Double, Double)]) throws -> Chart {
    let metric = try #require(HostMetric.named("cpu.busy_percent"))
    let columns = ["time", "average", "minimum", "maximum"].map { Answer.Column($0) }
    let rows = minutes.map { [Cell.time($0.0 * minuteNs), .real($0.1), .null, .real($0.2)] }
    return Chart(metric, Answer(columns: columns, rows: rows), sinceNs: 0, untilNs: 60 * minuteNs)
  }

  /// Time without reports is not drawn over.
  @Test func aGapIsAGap() throws {
    let chart = try chart([(0, 10, 12), (1, 10, 12), (2, 10, 12), (30, 50, 98), (31, 50, 60), (59, 20, 20)])
    #expect(Chart.runs(chart.points).map(\.count) == [3, 2, 1])
    var html = HTMLWriter()
    chart.write(&html)
    let text = String(decoding: html.bytes, as: UTF8.self)
    #expect(text.split(separator: "<polyline").count == 4)
    #expect(text.contains("CPU: last 20 %, highest 98 %"))
    #expect(text.contains("points=\"0.0,80.2 10.0,80.2 20.0,80.2\""), "\(text)")
  }

  /// What a script draws is what the server's drawing is made of: with its gaps, bands and marks, in seconds.
  @Test func aScriptGetsTheFiguresOfTheDrawing() throws {
    var chart = try chart([(0, 10, 12), (1, 10.25, 10.25), (2, 10, 12), (30, 50, 98), (31, 50, 60)])
    chart.bands = [.init(from: Double(3 * minuteNs), to: Double(30 * minuteNs), reason: "\u{202e}away")]
    chart.marks = [.init(x: Double(2 * minuteNs), y: nil, kind: .here)]
    let read = try #require(JSON.read(Array(chart.data.utf8)))
    #expect(read["isTime"]?.written == "true" && read["to"]?.written == "3600" && read["key"]?.text == "time")
    guard case .list(let lines)? = read["lines"], let line = lines.first else {
      Issue.record("there are no lines: \(chart.data)")
      return
    }
    #expect(line["x"]?.written == "[0,60,120,1799.999,1800,1860]", "\(line)")
    #expect(line["mean"]?.written == "[10,10.25,10,null,50,50]" && line["high"]?.written == "[12,10.25,12,null,98,60]")
    #expect(read["gaps"]?.written == #"[[180,1800,"\\u{202e}away"]]"#, "\(read["gaps"]?.written ?? "")")
    #expect(read["marks"]?.written == #"[[120,null,"here"]]"#)
    let page = Page(title: "t", blocks: [.charts([chart])])
    func html(_ hasLibrary: Bool) -> String {
      String(
        decoding: PageFrame(page: page, caller: nil, formToken: "", nowNs: 0, hasChartLibrary: hasLibrary).html,
        as: UTF8.self)
    }
    // The drawing of the server is there in either case.
    #expect(html(true).contains(ChartLibrary.File.script.path) && html(true).contains("<polyline"))
    #expect(!html(false).contains("uplot") && !html(false).contains(Script.charts.path))
  }

  /// Another file than that of uPlot is not served, and what is missing is named.
  @Test func onlyTheKnownFilesOfTheLibraryAreServed() throws {
    let directory = "/tmp/signalbox-charts-\(UInt64.random(in: 0...(.max)))"
    try HostFiles.makeDirectory(directory)
    defer { try? HostFiles.removeTree(directory) }
    #expect(ChartLibrary(directory: directory).missing?.contains("uplot.iife.min.js") == true)
    for file in ChartLibrary.File.all { try HostFiles.replace("\(directory)/\(file.name)", with: Array("x".utf8)) }
    let library = ChartLibrary(directory: directory)
    #expect(library.missing?.contains("is not the file of uPlot") == true && !library.isThere)
    #expect(library.bytes(of: .script) == nil)
  }

  @Test func nothingIsSaidInWords() throws {
    let chart = try chart([])
    #expect(Chart.runs(chart.points).isEmpty && chart.sentence == "nothing was reported in this time")
    let odd = try self.chart([(0, .nan, 1), (1, 5, .infinity)])
    #expect(odd.points == [.init(x: Double(minuteNs), average: 5, minimum: 5, maximum: 5)])
  }

  /// Several lines, each named and with its own style; the band is between lowest and highest; marks and gaps stand where they are.
  @Test func linesMarksAndGapsStandOnOneAxis() {
    let line = { (name: String, style: Int) in
      Chart.Line(
        name: name, points: (0...10).map { .init(x: Double($0), average: 5, minimum: 0, maximum: 10) }, style: style)
    }
    var chart = Chart("Price", [line("a", 0), line("b", 7)], axisName: "step")
    chart.marks = [.init(x: 5, y: 5, kind: .up), .init(x: 5, y: nil, kind: .here)]
    chart.bands = [.init(from: -3, to: 5)]
    var html = HTMLWriter()
    chart.write(&html)
    let text = String(decoding: html.bytes, as: UTF8.self)
    #expect(text.contains("a: last 5.00, lowest 0.00, highest 10.00; b: last 5.00"), "\(text)")
    #expect(text.contains("class=\"key k0\">a<") && text.contains("polygon class=\"k1\" points=\"0.0,1.0 60.0,1.0"))
    #expect(text.contains("<path class=\"up\" d=\"M300.0 36.0V45.0\">"))
    #expect(text.contains("<path class=\"gap\" d=\"M0.0 1.0h300.0v88.0h-300.0z\">"))
    #expect(text.contains("<span>0</span><span>step 10</span>"))
  }
}
