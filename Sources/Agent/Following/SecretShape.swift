/// Secrets that are known by how they look, whatever stands before them. Prefixes as their issuers publish them: RFC 7519 (JWT),
/// AWS IAM identifiers, and the token formats of the services that training hosts use.
enum SecretShape {
  private struct Prefix {
    var text: [UInt8]
    var kind: Secret.Kind
    /// Bytes behind the prefix, at least.
    var minimum: Int
    var alphabet = Alphabet.mixed
  }

  private enum Alphabet {
    /// Digits and letters both; words joined by dashes ("sk-learn-…") have no digit.
    case mixed
    /// Upper case and digits, exactly the minimum.
    case upper
    /// Hexadecimal.
    case hex
    /// Letters alone, exactly the minimum.
    case letters
  }

  /// `LineScan` hints at the 16th byte of a run.
  private static let runBytesMin = 16
  private static let judgedBytesMax = 512
  /// A prefix is looked for so far into a run, behind each dash or underscore.
  private static let prefixBytesMax = 64

  /// By their first byte.
  private static let prefixes: [[Prefix]] = {
    var table = [[Prefix]](repeating: [], count: 128)
    func add(_ kind: Secret.Kind, _ minimum: Int, _ words: [String], _ alphabet: Alphabet = .mixed) {
      for word in words {
        let text = Array(word.utf8)
        table[Int(text[0] & 127)].append(Prefix(text: text, kind: kind, minimum: minimum, alphabet: alphabet))
      }
    }
    add(.aws, 16, ["AKIA", "ASIA", "ABIA", "ACCA"], .upper)
    add(.google, 30, ["AIza"])
    add(.google, 20, ["GOCSPX-"])
    add(.github, 30, ["ghp_", "gho_", "ghu_", "ghs_", "ghr_"])
    add(.github, 20, ["github_pat_"])
    add(
      .gitlab, 16, ["glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glsoat-", "glagent-", "glimt-", "gloas-"])
    add(.slack, 10, ["xoxa-", "xoxb-", "xoxc-", "xoxd-", "xoxe-", "xoxo-", "xoxp-", "xoxr-", "xoxs-", "xapp-"])
    add(.openai, 20, ["sk-"])
    add(
      .key, 16,
      ["sk_live_", "sk_test_", "rk_live_", "rk_test_", "sk_prod_", "whsec_", "tskey-", "rzp_live_", "rzp_test_"])
    add(.huggingface, 20, ["hf_", "api_org_"])
    // The older ones have 34 letters and no digit.
    add(.huggingface, 34, ["hf_", "api_org_"], .letters)
    add(.pypi, 40, ["pypi-"])
    add(
      .key, 30,
      ["npm_", "shpat_", "shpss_", "shpca_", "shppa_", "sbp_", "lin_api_", "r8_", "gsk_", "pplx-", "tgp_v1_", "nvapi-"])
    add(
      .key, 30,
      [
        "PMAK-", "bkua_", "ntn_", "phx_", "phc_", "lsv2_pt_", "lsv2_sk_", "sgp_", "HRKU-", "rnd_", "fw_", "xai-",
        "rubygems_",
      ])
    add(
      .key, 20,
      [
        "dckr_pat_", "dckr_oat_", "NRAK-", "glsa_", "glc_", "sntrys_", "sntryu_", "wandb_v1_", "figd_", "ATATT3",
        "ATCTT3",
      ])
    add(
      .key, 20,
      [
        "ATBB", "sq0atp-", "sq0csp-", "pscale_tkn_", "pscale_pw_", "pscale_oauth_", "AKCp", "pul-", "fo1_",
        "duffel_live_",
      ])
    add(.key, 40, ["dop_v1_", "doo_v1_", "dor_v1_", "xkeysib-", "secret_", "APA91b"])
    add(.key, 32, ["SK"], .hex)
    add(.key, 30, ["dapi", "key-"], .hex)
    add(.key, 12, ["LTAI"])
    // "password" in base64.
    add(.password, 5, ["cGFzc3dvcmQ"])
    add(.pem, 40, ["AGE-SECRET-KEY-1", "b3BlbnNzaC1rZXk"])
    return table
  }()

  // MARK: Runs

  /// - Parameter last: the 16th byte of a run of letters, digits, `_` and `-`.
  static func run(_ text: Span<UInt8>, last: Int) -> Secret? {
    var start = last - runBytesMin + 1
    guard start >= 0, (start...last).allSatisfy({ ByteClass.isName(text[$0]) }) else { return nil }
    var end = last + 1
    var classes: UInt8 = 0
    while end < text.count, end - start < judgedBytesMax, ByteClass.isName(text[end]) { end += 1 }
    for at in start..<end { classes |= ByteClass.of(text[at]) }
    guard classes & (ByteClass.lower | ByteClass.upper) != 0 else { return nil }
    start += escaped(text, before: start)
    let run = start..<end
    if let found = prefixed(text, run) ?? webToken(text, run) { return found }
    guard classes & ByteClass.digit != 0 else { return nil }
    return hexadecimal(text, run) ?? dotted(text, run) ?? webhook(text, run) ?? behindWord(text, run)
      ?? issued(text, run)
  }

  /// `\n` in a text within a text, and `%3D`, leave a letter or two at the start of what follows them.
  private static func escaped(_ text: Span<UInt8>, before start: Int) -> Int {
    guard start > 0 else { return 0 }
    if text[start - 1] == UInt8(ascii: "\\"),
      text[start] == UInt8(ascii: "n") || text[start] == UInt8(ascii: "t") || text[start] == UInt8(ascii: "r")
    {
      return 1
    }
    return text[start - 1] == UInt8(ascii: "%") ? 2 : 0
  }

  private static func prefixed(_ text: Span<UInt8>, _ run: Range<Int>) -> Secret? {
    for at in run.prefix(prefixBytesMax) where at == run.lowerBound || !ByteClass.isWord(text[at - 1]) {
      for prefix in prefixes[Int(text[at] & 127)] {
        if let end = end(of: prefix, text, at: at) { return Secret(range: at..<end, kind: prefix.kind) }
      }
    }
    return nil
  }

  private static func end(of prefix: Prefix, _ text: Span<UInt8>, at: Int) -> Int? {
    var end = at
    for byte in prefix.text {
      guard end < text.count, text[end] == byte else { return nil }
      end += 1
    }
    let start = end
    var classes: UInt8 = 0
    while end < text.count, ByteClass.isName(text[end]) {
      classes |= ByteClass.of(text[end])
      end += 1
      if end - start == judgedBytesMax { break }
    }
    let value = start..<end
    switch prefix.alphabet {
    case .upper: return value.count == prefix.minimum && classes & ~(ByteClass.upper | ByteClass.digit) == 0 ? end : nil
    case .hex: return value.count >= prefix.minimum && value.allSatisfy { isHex(text[$0]) } ? end : nil
    case .letters:
      return value.count == prefix.minimum && classes & ~(ByteClass.upper | ByteClass.lower) == 0 ? end : nil
    case .mixed:
      let isMixed = classes & ByteClass.digit != 0 && classes & (ByteClass.lower | ByteClass.upper) != 0
      guard value.count >= prefix.minimum, isMixed, isCredible(text, value, classes) else { return nil }
      while end < text.count, ByteClass.isName(text[end]) { end += 1 }
      return end
    }
  }

  /// No name of words and a number, such as `sk-learn-contrib-2024`.
  private static func isCredible(_ text: Span<UInt8>, _ value: Range<Int>, _ classes: UInt8) -> Bool {
    let isOfAll = classes & ByteClass.alphanumeric == ByteClass.alphanumeric
    return isOfAll || isCode(text, value, minimum: 12)
  }

  private static func isHex(_ byte: UInt8) -> Bool {
    byte &- 48 <= 9 || byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "f")
  }

  /// Three parts of base64url with dots between; the first is a JSON object, so it starts with `eyJ`. Without dots it is an object too,
  /// as tokens of Grafana and the credentials of a registry are.
  private static func webToken(_ text: Span<UInt8>, _ run: Range<Int>) -> Secret? {
    guard
      let at = run.prefix(prefixBytesMax).first(where: {
        text.holds("eyJ", at: $0) && ($0 == run.lowerBound || !ByteClass.isWord(text[$0 - 1]))
      })
    else { return nil }
    var (end, dots) = (at, 0)
    while end < text.count, ByteClass.isToken(text[end]) || text[end] == UInt8(ascii: ".") {
      if text[end] == UInt8(ascii: ".") { dots += 1 }
      end += 1
    }
    while end > at, text[end - 1] == UInt8(ascii: ".") { end -= 1 }
    return end - at >= (dots > 0 ? 24 : 40) ? Secret(range: at..<end, kind: .jwt) : nil
  }

  private static let dottedPrefixes: [(String, Secret.Kind)] = [
    ("ya29.", .google), ("1//", .google), ("SG.", .key), ("hvs.", .key), ("hvb.", .key), ("hvr.", .key),
    ("dp.pt.", .key), ("dp.st.", .key),
    ("dp.ct.", .key), ("dp.sa.", .key), ("dt0c01.", .key), ("dt0s01.", .key), ("v2.local.", .key), ("v4.local.", .key),
    ("xoxe.", .slack),
  ]

  /// Tokens whose prefix ends with a dot, which is none of the run's bytes: `SG.`, `ya29.`, `hvs.`, `dp.pt.`, `1//0`.
  private static func dotted(_ text: Span<UInt8>, _ run: Range<Int>) -> Secret? {
    guard run.lowerBound >= 3 else { return nil }
    // A part between may be short: `SG.<22>.<43>`, `dp.st.prd.<…>`.
    var first = run.lowerBound
    while first > 0, run.lowerBound - first < 80,
      ByteClass.isName(text[first - 1]) || text[first - 1] == UInt8(ascii: ".") || text[first - 1] == UInt8(ascii: "/")
    {
      first -= 1
    }
    for at in first..<run.lowerBound where at == first || !ByteClass.isName(text[at - 1]) {
      guard let (_, kind) = dottedPrefixes.first(where: { text.holds($0.0, at: at) }) else { continue }
      var end = run.upperBound
      while end < text.count,
        ByteClass.isName(text[end])
          || text[end] == UInt8(ascii: ".") && end + 1 < text.count && ByteClass.isName(text[end + 1])
      {
        end += 1
      }
      return Secret(range: at..<end, kind: kind)
    }
    return nil
  }

  private static let webhookPaths = [
    "hooks.slack.com/", "/webhooks/", "/webhook/", "/webhookb2/", "/IncomingWebhook/", "/hooks/",
  ]

  /// The path of a webhook: whoever knows it may post. Slack, Discord, Teams, Google Chat and their like.
  private static func webhook(_ text: Span<UInt8>, _ run: Range<Int>) -> Secret? {
    guard run.lowerBound > 0,
      text[run.lowerBound - 1] == UInt8(ascii: "/") || text[run.lowerBound - 1] == UInt8(ascii: "-")
        || text[run.lowerBound - 1] == UInt8(ascii: "=")
    else { return nil }
    var first = run.lowerBound
    while first > 0, run.lowerBound - first < 240, text[first - 1] > UInt8(ascii: " "),
      text[first - 1] != UInt8(ascii: "\""), text[first - 1] != UInt8(ascii: "'")
    {
      first -= 1
    }
    for at in first..<run.lowerBound {
      guard text[at] == UInt8(ascii: "/") || text[at] == UInt8(ascii: "h"),
        let path = webhookPaths.first(where: { text.holds($0, at: at) })
      else { continue }
      var start = at + path.utf8.count
      // Slack names what the hook is for.
      for kind in ["services/", "workflows/", "triggers/"] where text.holds(kind, at: start) {
        start += kind.utf8.count
      }
      var end = run.upperBound
      while end < text.count, text[end] > UInt8(ascii: " "),
        !["\"", "'", "?", ">", ")", ",", "\\", "]", "}"].contains(where: { text.holds($0, at: end) })
      {
        end += 1
      }
      return start < end ? Secret(range: start..<end, kind: .webhook) : nil
    }
    return nil
  }

  /// "password", "secret" and "token=", as hexadecimal digits.
  private static let hexadecimalWords = ["70617373776f7264", "736563726574", "746f6b656e3d", "746f6b656e3a"]

  /// A text in hexadecimal digits that names a secret.
  private static func hexadecimal(_ text: Span<UInt8>, _ run: Range<Int>) -> Secret? {
    guard run.count >= 20, run.allSatisfy({ isHex(text[$0]) }),
      run.contains(where: { at in hexadecimalWords.contains { text.holds($0, at: at) } })
    else { return nil }
    var end = run.upperBound
    while end < text.count, isHex(text[end]) { end += 1 }
    return Secret(range: run.lowerBound..<end, kind: .password)
  }

  private static let announcements = ["bearer", "basic", "login", "relogin", "apikey", "bot", "negotiate"]

  /// `wandb login 5f3…`, `Bearer abc…`, `API key 5f3…`: a code behind a blank and a word that announces it.
  private static func behindWord(_ text: Span<UInt8>, _ run: Range<Int>) -> Secret? {
    var before = run.lowerBound
    while before > 0,
      text[before - 1] == UInt8(ascii: "\"") || text[before - 1] == UInt8(ascii: "'")
        || text[before - 1] == UInt8(ascii: "`")
    { before -= 1 }
    guard before > 3, text[before - 1] == UInt8(ascii: " ") else { return nil }
    before -= 1
    let isScheme = announcements.contains {
      SecretProse.holds($0, text, before - $0.utf8.count)
        && (before == $0.utf8.count || !ByteClass.isWord(text[before - $0.utf8.count - 1]))
    }
    let isNamed = SecretName.read(text, before: before).map { $0.kind != .weak && $0.kind != .code } ?? false
    guard isScheme || isNamed, isCode(text, run, minimum: 16) else { return nil }
    var end = run.upperBound
    while end < text.count,
      ByteClass.isToken(text[end])
        || text[end] == UInt8(ascii: ".") && end + 1 < text.count && ByteClass.isToken(text[end + 1])
    { end += 1 }
    return Secret(range: run.lowerBound..<end, kind: isScheme ? .authorization : .token)
  }

  /// A part of letters and digits that is no word with a number, such as a pod's name has.
  static func isCode(_ text: Span<UInt8>, _ run: Range<Int>, minimum: Int) -> Bool {
    var part = run.lowerBound
    while part < run.upperBound {
      var stop = part
      var classes: UInt8 = 0
      while stop < run.upperBound, ByteClass.isWord(text[stop]) {
        classes |= ByteClass.of(text[stop])
        stop += 1
      }
      if stop - part >= minimum, classes & ByteClass.digit != 0, classes != ByteClass.digit { return true }
      part = stop + 1
    }
    return false
  }

  private static let harmlessIssuers = ["sha", "md5", "blake", "run", "step", "ckpt"]

  /// An unknown issuer's token: a short name, `_` or `-`, and a long random part.
  private static func issued(_ text: Span<UInt8>, _ run: Range<Int>) -> Secret? {
    var sign = run.lowerBound
    while sign < run.upperBound, ByteClass.of(text[sign]) & (ByteClass.lower | ByteClass.digit) != 0 { sign += 1 }
    guard sign - run.lowerBound >= 2, sign - run.lowerBound <= 12, sign < run.upperBound, !ByteClass.isWord(text[sign]),
      !harmlessIssuers.contains(where: { text.holds($0, at: run.lowerBound) }),
      run.lowerBound == 0
        || text[run.lowerBound - 1] != UInt8(ascii: "/") && text[run.lowerBound - 1] != UInt8(ascii: "."),
      run.upperBound == text.count
        || text[run.upperBound] != UInt8(ascii: "/") && text[run.upperBound] != UInt8(ascii: "."),
      SecretRandom.hasRandomPart(text, run, minimum: 24)
    else { return nil }
    var end = run.upperBound
    while end < text.count, ByteClass.isName(text[end]) { end += 1 }
    return Secret(range: run.lowerBound..<end, kind: .entropy)
  }
}
