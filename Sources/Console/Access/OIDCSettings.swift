package import FleetModel

/// The identity provider by which people log in, as the console is started with it.
package struct OIDCSettings: Sendable {
  /// As the provider names itself, `https://…`: its ID tokens carry this text.
  package var issuer: String
  package var clientID: String
  /// nil: a public client, which PKCE alone protects.
  package var clientSecret: String?
  /// On the login page.
  package var label: String
  /// The claim of the ID token that is a person's name in timelines and the audit.
  package var nameClaim = "preferred_username"
  /// The claim with a person's groups, a text or a list of texts.
  package var groupsClaim = "groups"
  /// Who is in the group has the role; of several the highest.
  package var roles: [(role: Role, group: String)] = []
  /// Of who is in none of them; nil: refused.
  package var defaultRole: Role?
  /// Further scopes that are asked for beside `openid`, such as `profile`.
  package var scopes = ["profile", "email"]
  /// A session ends after so long.
  package var sessionSeconds = SessionCookie.lifeSeconds
  /// PEM file of the authorities that the provider's certificate may come from, and no others; nil: the system's.
  package var authorities: String?

  package init(issuer: String, clientID: String, label: String) {
    self.issuer = issuer
    self.clientID = clientID
    self.label = label
  }

  /// The longest session that an ID token begins, seconds.
  package static let sessionSecondsMax = SessionCookie.lifeSeconds

  /// - Returns: the highest role of the groups, or the default one; nil: refused.
  func role(of groups: [String]) -> Role? {
    let given = Set(groups)
    return roles.filter { given.contains($0.group) }.map(\.role).max() ?? defaultRole
  }
}
