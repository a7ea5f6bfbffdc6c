internal import Simulation

/// `signalbox-simulate --seeds N [--from K]` or `--seed N [--trace]`.
@main enum Main {
  static func main() async { await SimulateCommand.run(Array(CommandLine.arguments.dropFirst())) }
}
