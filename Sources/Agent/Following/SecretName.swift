/// What stands before a value, and how sure that makes it a secret.
struct SecretName {
  enum Kind {
    /// `password`, `secret`: nearly any value.
    case password
    /// `pass`, `pwd`, and short words of other languages: values that a person would choose.
    case weak
    /// `*api_key`, `*_KEY`.
    case key
    /// A session, a login: only values that no person wrote.
    case code
    /// `token` means a word's number here as well: only values that look like credentials.
    case token
    case authorization
    case cookie
  }

  var kind: Kind
  /// As names of environment variables are.
  var isUpper: Bool
  /// Where the part that was recognised begins.
  var start: Int

  // MARK: Reading

  /// Blanks, quotes and brackets that may stand between a name and its separator.
  private static let closingMax = 8
  /// `Password (again):`
  private static let remarkMax = 16

  /// The name that ends before `end`, or nil where it is no secret's.
  static func read(_ text: Span<UInt8>, before end: Int) -> SecretName? {
    var last = closed(text, end)
    if last > 1, text[last - 1] == UInt8(ascii: ")") {
      guard let open = (max(1, last - remarkMax)..<last).last(where: { text[$0] == UInt8(ascii: "(") }),
        text[open - 1] == UInt8(ascii: " ")
      else { return nil }
      last = closed(text, open)
    }
    // "token1", "SECRET_2".
    var letter = last
    while letter > 0, last - letter < 3, text[letter - 1] &- 48 <= 9 { letter -= 1 }
    if letter < last, letter > 1, text[letter - 1] == UInt8(ascii: "_") { letter -= 1 }
    guard letter >= 2 else { return nil }
    return ending(text, letter)
  }

  private static func closed(_ text: Span<UInt8>, _ end: Int) -> Int {
    var last = end
    while last > 0, end - last < closingMax {
      let byte = text[last - 1]
      if byte == 0xa0, last > 1, text[last - 2] == 0xc2 {
        last -= 2
      } else if byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'")
        || byte == UInt8(ascii: "\\") || byte == UInt8(ascii: "]") || byte == UInt8(ascii: "`")
      {
        last -= 1
      } else if byte == UInt8(ascii: "2") || byte == UInt8(ascii: "7"), last > 2, text[last - 2] == UInt8(ascii: "2"),
        text[last - 3] == UInt8(ascii: "%")
      {
        // A quote of an encoded URL.
        last -= 3
      } else {
        break
      }
    }
    return last
  }

  private static func ending(_ text: Span<UInt8>, _ last: Int) -> SecretName? {
    if let found = Words.shared.find(text, last) { return found }
    // A variable of the environment, whatever key it is.
    if last >= 5, text[last - 1] == UInt8(ascii: "Y"), text.holds("_KEY", at: last - 4) {
      return SecretName(kind: .key, isUpper: true, start: last - 4)
    }
    return nil
  }

  /// Lower case; the signs that join words are one.
  @inline(__always) fileprivate static func lowered(_ byte: UInt8) -> UInt8 {
    if byte == UInt8(ascii: "-") || byte == UInt8(ascii: " ") || byte == UInt8(ascii: ".") { return UInt8(ascii: "_") }
    return ByteClass.of(byte) == ByteClass.upper ? byte | 0x20 : byte
  }

  /// A word begins: behind what is no letter, or with a capital behind a small letter.
  fileprivate static func isBoundary(_ text: Span<UInt8>, _ start: Int) -> Bool {
    guard start > 0 else { return true }
    let before = ByteClass.of(text[start - 1])
    if text[start - 1] >= 0x80 { return text[start] >= 0x80 ? false : true }
    guard before & (ByteClass.lower | ByteClass.upper) != 0 else { return true }
    return before == ByteClass.lower && ByteClass.of(text[start]) == ByteClass.upper
  }
}

/// The words themselves, in one block of bytes, so that nothing is counted or copied while names are compared.
private struct Words {
  private struct Word {
    /// Behind its last byte in `bytes`.
    var end: Int
    var count: Int
    var kind: SecretName.Kind
    /// Counts only as a word of its own, not as the end of a longer one.
    var isWhole: Bool
  }

  /// In one value: each global that is made at its first use costs a call to see that it was.
  static let shared = Words()

  private let bytes: [UInt8]
  /// By their last byte, longest first.
  private let all: [Word]
  /// For each last byte, where its words begin in `all`.
  private let starts: [Int]
  /// For each last byte, which bytes may stand before it, and which before those, by their lowest six bits: nearly every name that is
  /// no secret's is passed over by these.
  private let before: [(UInt64, UInt64)]

  private init() {
    var bytes: [UInt8] = []
    var made: [Word] = []
    for list in Self.lists {
      for word in list.words {
        bytes += word.utf8
        made.append(Word(end: bytes.count, count: word.utf8.count, kind: list.kind, isWhole: list.isWhole))
      }
    }
    let all = made.sorted { (bytes[$0.end - 1], $1.count) < (bytes[$1.end - 1], $0.count) }
    var before = [(UInt64, UInt64)](repeating: (0, 0), count: 256)
    for word in all {
      let last = Int(bytes[word.end - 1])
      before[last].0 |= Self.bit(bytes[word.end - 2])
      before[last].1 |= word.count > 2 ? Self.bit(bytes[word.end - 3]) : ~0
    }
    starts = (0...256).map { byte in all.firstIndex { Int(bytes[$0.end - 1]) >= byte } ?? all.count }
    (self.bytes, self.all, self.before) = (bytes, all, before)
  }

  private static func bit(_ byte: UInt8) -> UInt64 { 1 << UInt64(byte & 63) }

  /// The word that ends before `last`, of which there are at least two bytes.
  func find(_ text: Span<UInt8>, _ last: Int) -> SecretName? {
    let byte = Int(SecretName.lowered(text[last - 1]))
    let (second, third) = before[byte]
    guard second & Self.bit(SecretName.lowered(text[last - 2])) != 0,
      last == 2 || third & Self.bit(SecretName.lowered(text[last - 3])) != 0
    else { return nil }
    for index in starts[byte]..<starts[byte + 1] {
      let word = all[index]
      let start = last - word.count
      guard start >= 0, matches(text, last, word), !word.isWhole || SecretName.isBoundary(text, start) else { continue }
      return SecretName(kind: word.kind, isUpper: ByteClass.of(text[last - 1]) == ByteClass.upper, start: start)
    }
    return nil
  }

  /// From the end: that is where most names differ.
  private func matches(_ text: Span<UInt8>, _ last: Int, _ word: Word) -> Bool {
    var back = 1
    while back <= word.count {
      if SecretName.lowered(text[last - back]) != bytes[word.end - back] { return false }
      back += 1
    }
    return true
  }

  private static let lists: [(kind: SecretName.Kind, isWhole: Bool, words: [String])] = [
    (.password, false, passwords), (.password, true, passwordWords), (.weak, true, weakWords), (.key, false, keys),
    (.key, true, keyWords), (.code, true, codes), (.token, false, ["token"]),
    (.authorization, false, ["authorization"]),
    (.cookie, true, ["cookie"]),
  ]

  private static let passwords = [
    "password", "passwd", "passphrase", "passcode", "passwort", "kennwort", "contraseña", "contrasena", "wachtwoord",
    "lösenord", "losenord", "passord", "adgangskode", "salasana", "jelszó", "jelszo", "пароль", "Пароль", "ПАРОЛЬ",
    "пароля",
    "парол", "Парола", "парола", "лозинка", "密码", "密碼", "口令", "暗証番号", "パスワード", "비밀번호", "mật_khẩu", "Mật_khẩu",
    "كلمة_المرور", "كلمة_السر", "סיסמה", "סיסמא", "รหัสผ่าน", "κωδικός", "Κωδικός", "पासवर्ड", "kata_sandi", "palavra_passe",
    "mot_de_passe", "motdepasse", "slaptažodis", "secret", "secret_key_base", "secret_value", "secret_string", "bindpw",
    "rootpw", "storepass", "keypass", "sshpass", "seed_phrase", "recovery_phrase", "mnemonic", "ключ_доступа", "секрет",
    "秘密鍵", "密钥", "密鑰", "password_value", "secret_data",
  ]
  private static let passwordWords = [
    "senha", "hasło", "haslo", "heslo", "lozinka", "sifre", "şifre", "Şifre", "암호", "psk", "otp",
  ]
  private static let weakWords = ["pass", "pwd", "psw", "pw", "clave", "parola", "mdp", "pgpass"]
  private static let keys = [
    "api_key", "apikey", "access_key", "accesskey", "private_key", "privatekey", "privkey", "account_key", "accountkey",
    "auth_key", "authkey", "encryption_key", "signing_key", "license_key", "ssh_key", "master_key", "secret_key",
    "secretkey",
    "shared_key", "sharedkey", "storage_key", "service_key", "session_key", "root_key", "deploy_key", "admin_key",
    "consumer_key", "webhook_key", "hmac_key", "aes_key", "subscription_key", "sharedaccesskey", "client_key_data",
    "passkey",
    "access_key_id", "accesskeyid", "secret_id", "credential", "credentials", "password_hash", "passwd_hash",
    "dockerconfigjson",
    "client_secret_key", "decryption_key", "symmetric_key", "wrapping_key", "unseal_key", "user_key", "device_key",
    "app_key",
    "application_key", "login_key",
  ]
  private static let keyWords = ["creds", "jwt", "priv_key", "apitoken", "bearer", "signature", "sig"]
  private static let codes = [
    "session_id", "sessionid", "jsessionid", "phpsessid", "sid", "auth", "session", "sess", "security_code",
    "csrf", "xsrf", "nonce_secret", "otp_secret", "login", "license",
  ]
}
