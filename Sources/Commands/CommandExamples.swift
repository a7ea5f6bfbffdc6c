internal import ArgumentParser
internal import FleetModel

/// Examples below the help of every command. A test parses each one, so that none names an option that there is not.
enum CommandExamples {
  /// By the command's path: what stands behind `signalbox`.
  static let all: [String: [String]] = fleet.merging(paging) { first, _ in first }.merging(site) { first, _ in first }

  private static let fleet = [
    "fleet status": ["fleet status", "fleet status --watch", "fleet status --format json --allow-missing"],
    "hosts invite": ["hosts invite trainer-7", "hosts invite trainer-7 --expires 2h"],
    "hosts invitations": ["hosts invitations", "hosts invitations --all"],
    "hosts uninvite": ["hosts uninvite 3f9c2a"],
    "hosts list": ["hosts list", "hosts list --format csv"],
    "hosts show": ["hosts show trainer-1", "hosts show trainer-1 --processes"],
    "hosts label": ["hosts label trainer-1 rack=a3 team=vision", "hosts label trainer-1 team="],
    "hosts rename": ["hosts rename trainer-1 trainer-01"],
    "hosts revoke": ["hosts revoke trainer-1"],
    "hosts remove": ["hosts remove trainer-1"],
    "runs list": ["runs list --state running", "runs list --host 'gpu-*' --format ndjson"],
    "runs latest": ["runs latest", "runs latest --host trainer-1"],
    "runs show": ["runs show ppo_1", "runs show 12", "runs show ppo_1 --host trainer-1 --limit 10"],
    "runs why": ["runs why ppo_1", "runs why 12 --format json"],
    "runs analyze": ["runs analyze ppo_1", "runs analyze 12 --large-change 50000 --format json"],
    "compare": ["compare 12 15", "compare ppo_1 ppo_2 --metric portfolio_value --align relative --format json"],
    "episodes list": ["episodes list --run ppo_1", "episodes list --status force_closed --format csv"],
    "episodes check": ["episodes check", "episodes check --run ppo_1 --stale-minutes 30"],
    "episodes verify": ["episodes verify --host 'gpu-*'", "episodes verify --run ppo_1 --format csv"],
    "episodes show": ["episodes show ppo_1 12"],
    "logs": [
      "logs --level error --since 2h", "logs --host trainer-1 --host trainer-2 --text 'CUDA out of memory'",
      "logs --file '*.err' --follow", "logs --only-level warn --since 6h",
    ],
    "gaps": ["gaps", "gaps --host trainer-1 --since 7d"],
    "query": [
      "query 'select host, count(*) from log_lines group by host'",
      "query --saved errors-by-host --param host=trainer-1 --param since=1h",
    ],
    "wait": ["wait runs/12 --for completed --timeout 2h", "wait hosts/trainer-1 --for live --timeout 5m"],
    "open": ["open incidents 12", "open runs 12"],
  ]

  private static let paging = [
    "incidents list": ["incidents list", "incidents list --state all --rule 'RES-*' --since 24h"],
    "incidents show": ["incidents show 12"],
    "incidents ack": ["incidents ack 12", "incidents ack 12 13 14"],
    "incidents note": ["incidents note 12 'the fan was replaced'"],
    "incidents resolve": ["incidents resolve 12"],
    "incidents reply": [
      "incidents reply --console https://console.example.org --recipient signalbox+TOKEN@example.org"
    ],
    "silences add": [
      "silences add --host 'trainer-*' --for 2h --reason updates",
      "silences add --rule RES-01 --host trainer-1 --for 30m --reason 'known leak'",
    ],
    "silences list": ["silences list", "silences list --all"],
    "silences end": ["silences end 3"],
    "oncall now": ["oncall now"],
    "oncall override": ["oncall override primary --to ann --for 4h --reason dentist"],
    "oncall overrides": ["oncall overrides", "oncall overrides --all"],
    "oncall end": ["oncall end 2"],
    "oncall calendar": ["oncall calendar ann", "oncall calendar ann --expires 90d"],
    "paging test": ["paging test ann", "paging test --policy P1 --timeout 1m"],
  ]

  private static let site = [
    "rules check": ["rules check /etc/signalbox/rules"],
    "rules test": ["rules test /etc/signalbox/rules"],
    "rules replay": ["rules replay /etc/signalbox/rules --since 7d --host trainer-1"],
    "rules list": ["rules list", "rules list /etc/signalbox/rules"],
    "rules metrics": ["rules metrics"],
    "rules schema": ["rules schema"],
    "rules coverage": ["rules coverage /etc/signalbox/rules"],
    "rules runbooks": ["rules runbooks /etc/signalbox/rules --into docs/runbooks"],
    "config check": ["config check /etc/signalbox/signalbox.yaml"],
    "config schema": ["config schema"],
    "ca init": ["ca init --state-dir /var/lib/signalbox"],
    "ca status": ["ca status --state-dir /var/lib/signalbox"],
    "ca renew": ["ca renew --state-dir /var/lib/signalbox"],
    "ca export": ["ca export authority.backup --state-dir /var/lib/signalbox"],
    "ca import": ["ca import authority.backup --state-dir /var/lib/signalbox"],
    "tokens create": ["tokens create nightly --role viewer", "tokens create bot --role responder --expires 30d"],
    "tokens list": ["tokens list", "tokens list --all"],
    "tokens revoke": ["tokens revoke nightly"],
    "audit": ["audit --since 24h", "audit --by ann --action 'incidents.*'"],
    "console link": ["console link", "console link --for ann --role admin"],
    "login": [
      "login https://console.example.org:7444 --token-file token.txt",
      "login https://127.0.0.1:7444 --ca /var/lib/signalbox/ca/root.pem --token-file token.txt",
    ],
    "contexts list": ["contexts list"],
    "contexts use": ["contexts use console.example.org"],
    "contexts remove": ["contexts remove console.example.org"],
    "doctor": ["doctor", "doctor --state-dir /var/lib/signalbox"],
    "mcp": ["mcp", "mcp --context console.example.org"],
    "demo": ["demo"],
  ]

  /// Below the help of the command that these words name; nil where it only holds others.
  /// - Parameter words: the command line without the program's name.
  static func text(words: [String]) -> String? {
    var command: any ParsableCommand.Type = Root.self
    var path: [String] = []
    for word in words where word != "help" {
      guard let next = command.configuration.subcommands.first(where: { $0.configuration.commandName == word }) else {
        break
      }
      command = next
      path.append(word)
    }
    guard let examples = all[path.joined(separator: " ")] else { return nil }
    return "EXAMPLES:\n" + examples.map { "  signalbox \($0)\n" }.joined()
  }
}
