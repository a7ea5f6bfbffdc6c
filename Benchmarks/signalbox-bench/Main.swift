@main enum Main {
  static func main() {
    if CommandLine.arguments.dropFirst().first == "sampling" { SamplingBench.run() }
  }
}
