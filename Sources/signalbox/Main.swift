internal import Commands

@main enum Main {
  static func main() { Signalbox.start(Array(CommandLine.arguments.dropFirst())) }
}
