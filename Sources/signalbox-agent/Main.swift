internal import Agent

@main enum Main {
  static func main() {
    if CommandLine.arguments.dropFirst().first == "probe" { ProbeServer.run() }
  }
}
