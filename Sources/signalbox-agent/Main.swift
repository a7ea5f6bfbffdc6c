internal import Agent

@main enum Main {
  static func main() { AgentMain.start(Array(CommandLine.arguments.dropFirst())) }
}
