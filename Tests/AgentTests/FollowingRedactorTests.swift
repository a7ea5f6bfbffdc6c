import FleetModel
import Testing

@testable import Agent

@Suite struct FollowingRedactorTests {
  private static let base62 = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)

  private static func text(_ count: Int, _ random: KeyGenerator, from alphabet: [UInt8] = base62) -> String {
    // A digit, and both cases, as nearly every such secret has.
    String(decoding: (0..<count).map { _ in alphabet[random.below(alphabet.count)] }, as: UTF8.self)
  }

  private static let upper = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)
  private static let hex = Array("0123456789abcdef".utf8)

  /// Lines with what must not be left of them.
  static func secrets() -> [(line: String, secret: String)] {
    let random = KeyGenerator(seed: 1)
    var all: [(String, String)] = []
    for _ in 0..<6 {
      let word = { (count: Int) in "a1B" + text(count, random) }
      let tokens = [
        "ghp_" + word(33), "gho_" + word(33), "ghs_" + word(33), "github_pat_" + word(60), "glpat-" + word(17),
        "sk-" + word(45),
        "sk-proj-" + word(60), "sk_live_" + word(21), "hf_" + word(31), "AIza" + word(32),
        "xoxb-1234567890-" + word(21), "AKIA" + text(16, random, from: upper), "ASIA" + text(16, random, from: upper),
        "eyJhbGciOiJIUzI1NiJ9.eyJ\(word(40)).\(word(40))", "pypi-AgEIcHlwaS5vcmc" + word(60),
      ]
      for token in tokens {
        all.append(("2025-05-14 22:06:26,210 - INFO - login with \(token) worked", token))
        all.append(("{\"message\": \"use \(token)\"}", token))
      }
      let value = word(20)
      let short = "Tr0ub4dor&\(random.below(1000))"
      all += [
        ("WANDB_API_KEY=\(value)", value), ("export AWS_SECRET_ACCESS_KEY=\(value)", value),
        ("HF_TOKEN=\(value)", value),
        ("POSTGRES_PASSWORD=\(short)", short), ("password: \(short)", short), ("db_password = '\(short)'", short),
        ("{\"password\": \"\(short)\", \"user\": \"x\"}", short), ("{'client_secret': '\(value)'}", value),
        ("--api-key \(value) --epochs 3", value), ("python train.py --password \(short)", short),
        ("api_key=\(value)&x=1", value),
        ("Authorization: Bearer \(value)", value), ("authorization: Basic dXNlcjpw\(value)==", value),
        ("got Bearer \(value)", value),
        ("postgresql://trader:\(short.replacing("&", with: "-"))@db:5432/rl", short.replacing("&", with: "-")),
        ("clone https://x-access-token:\(value)@github.com/a/b", value), ("auth token: \(value)", value),
        ("Token=\(value)", value),
        ("session=\(text(12, random))x9Q\(text(15, random))7Zq", "x9Q"), ("passphrase=\(short)", short),
        ("MY_KEY=\(value)", value),
        ("key: -----BEGIN RSA PRIVATE KEY-----\\nMII\(value)\\n-----END RSA PRIVATE KEY----- done", value),
        ("SECRET=\(value)", value),
      ]
    }
    return all
  }

  private func lines(_ text: String, _ redactor: Redactor) -> FileDelta {
    let file = FileIdentity(key: FileKey(high: 1, low: 1), path: "/logs/a.log")
    var reader = LogReader(
      ReaderContext(file: file, offset: 0, head: [], preceding: []), redactor: redactor, zone: { _ in 0 })
    var delta = FileDelta(file: file, from: 0, to: 0)
    let bytes = Array(text.utf8)
    #expect(reader.read(bytes.span, at: 0, isFinal: true, nowNs: 0, budget: .max, into: &delta) == bytes.count)
    return delta
  }

  @Test func noSecretLeavesTheHost() {
    let secrets = Self.secrets()
    #expect(secrets.count >= 300)
    for (line, secret) in secrets {
      let redactor = Redactor()
      let delta = lines(line + "\n", redactor)
      let text = String(decoding: delta.lines.text, as: UTF8.self)
      #expect(!text.contains(secret), "\(line) -> \(text)")
      #expect(delta.lines.flags[0] & LineFlags.redacted.rawValue != 0)
      #expect(redactor.total > 0)
      // The same in an event, and wherever in a line it stands.
      #expect(!Redactor().redact(line).contains(secret))
      for pad in [1, 15, 31, 63] {
        let padded = lines(String(repeating: "x", count: pad) + " " + line + "\n", Redactor())
        #expect(!String(decoding: padded.lines.text, as: UTF8.self).contains(secret), "\(pad) \(line)")
      }
    }
  }

  @Test func whatIsAroundASecretStays() {
    #expect(Redactor().redact("HF_TOKEN=abc123def456 --epochs 3") == "HF_TOKEN=[redacted:token] --epochs 3")
    #expect(Redactor().redact("postgresql://u:pw@db:5432/rl") == "postgresql://[redacted:url]@db:5432/rl")
    #expect(
      Redactor().redact("{\"password\": \"hunter2\", \"user\": \"x\"}")
        == "{\"password\": \"[redacted:password]\", \"user\": \"x\"}")
    #expect(Redactor().redact("Authorization: Bearer abcdef123456") == "Authorization: Bearer [redacted:authorization]")
  }

  /// Lines as training jobs write them; none holds a secret.
  private static let harmless: [String] = [
    "2025-05-14 22:06:26,210 - INFO - PATCH: Number of episodes in buffer: {n}",
    "2025-05-14 22:06:26,210 - ERROR - instrumented_get_rewards() got an unexpected keyword argument 'neg_index_as_lookback'",
    "--- on_episode_start CALLED for RLlib episode_id: {hex32} ---",
    "Checkpoint saved at iteration {n} in /data/PPO_CartPole-v1_{n}_2025-05-14_22-06-26",
    "| rollout/ep_rew_mean | {f} |", "step={n} loss={f} tokens={n} num_tokens: {n} max_tokens={n}",
    "pad_token=<pad> eos_token: </s> bos_token=<s>",
    "tokens_per_second: {f}, token: word, next_token={n}", "commit {hex40} branch feature/high-entropy-bonus",
    "sha256:{hex64}",
    "uuid={hex8}-{hex4}-4{hex4}-a{hex4}-{hex8}{hex4}",
    "loading Qwen2-VL-7B-Instruct-GPTQ-Int4 from /models/Qwen2-VL-7B-Instruct-GPTQ-Int4",
    "model=meta-llama/Llama-3.1-8B-Instruct dtype=bfloat16", "RUN-SPY-20250514220626-{hex8}",
    "key: value, keys: [a, b], primary_key=id, sort_key=reward",
    "GET http://127.0.0.1:{n}/api/v1/query?x={n} 200", "ssh://git@example.org/repo",
    "mail to a@b.example about task-{n}",
    "NVRM: Xid (PCI:0000:3b:00): {n}, pid={n}, name=python", "Traceback (most recent call last):",
    "  File \"/opt/conda/lib/python3.11/site-packages/torch/nn/modules/module.py\", line {n}, in _call_impl",
    "ValueError: Expected input batch_size ({n}) to match target batch_size ({n}).",
    "monkey={n} turkey: {f} hockey=stick", "Bearer of bad news: Basic training started",
    "password: missing, token: invalid, secret: none",
    "learning_rate=0.0003 batch_size=256 gamma=0.99 clip_range=0.2 ent_coef=0.01",
    "INFO:root:sk-learn version 1.{n} with numpy",
    "WorkerThread-{n}: heartbeat at 2025-05-14T22:06:26.{n}Z offset={n}",
    "100%|##########| {n}/{n} [00:12<00:00, {f}it/s, loss={f}]",
    "disk_usage=/dev/nvme0n1p2 mount=/var/lib/docker/overlay2/{hex64}/merged",
    "CUDA_VISIBLE_DEVICES=0,1,2,3 NCCL_DEBUG=INFO OMP_NUM_THREADS=8",
    "PWD=/home/user/project SHELL=/bin/bash LANG=en_US.UTF-8",
    "class=ReplayBufferEpisodeCollector method=get_rewards_for_batch id={n}",
    "episode_id={hex32} worker=RolloutWorker_w{n}",
    "self_play buf_size task-{n} risk-free disk-{n} mask-rcnn hf_hub github_action xoxo",
  ]

  @Test func harmlessLinesAreLeftAlone() {
    let random = KeyGenerator(seed: 3)
    var masked: [String] = []
    let count = 35 * 400
    let redactor = Redactor()
    for number in 0..<count {
      var line = Self.harmless[number % Self.harmless.count]
      while let open = line.firstIndex(of: "{"), let close = line[open...].firstIndex(of: "}") {
        let name = line[line.index(after: open)..<close]
        let value =
          name == "n"
          ? String(random.below(100_000))
          : name == "f"
            ? "\(Double(random.below(1_000_000)) / 997)"
            : Self.text(Int(name.dropFirst(3)) ?? 8, random, from: Self.hex)
        line.replaceSubrange(open...close, with: value)
      }
      let before = redactor.total
      if redactor.redact(line) != line || redactor.total != before { masked.append(redactor.redact(line)) }
    }
    #expect(masked.count <= 3, "\(masked.first ?? "")")
  }

  @Test func cheapLookNeverMissesWhatTheRedactorFinds() {
    let random = KeyGenerator(seed: 9)
    let pieces = [
      "password", "=", ":", " ", "\"", "token", "AKIA", "ghp_", "sk-", "a1B2c3D4e5F6g7H8i9J0k", "//u:p@h", "eyJ", "--",
      "\\", "secret", "x", ".", "-----BEGIN ", "hunter2",
    ]
    for round in 0..<3000 {
      let line = (0..<1 + random.below(9)).map { _ in pieces[random.below(pieces.count)] }.joined()
      let expected = Redactor().redact(line)
      let delta = lines(line + "\n", Redactor())
      #expect(String(decoding: delta.lines.text, as: UTF8.self) == expected, "round \(round): \(line)")
    }
  }
}
