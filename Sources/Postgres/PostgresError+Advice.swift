extension PostgresError {
  /// What to do about a connection that was not made, as a clause; "" where the words leave it open.
  ///
  /// libpq gives no SQLSTATE for those, only its own and the server's words (English: the private server's, and what most servers
  /// speak). Source: libpq's fe-connect.c, fe-secure-openssl.c and fe-auth.c of PostgreSQL 15 to 17.
  package var connectionAdvice: String {
    Self.advice.first { entry in entry.words.allSatisfy { message.contains($0) } }?.clause ?? ""
  }

  /// The sentence with its advice.
  package var withAdvice: String { connectionAdvice.isEmpty ? "\(self)" : "\(self); \(connectionAdvice)" }

  /// The first entry whose words all stand in the message: what names a cause stands before what only names a symptom.
  private static let advice: [(words: [String], clause: String)] = [
    (["No space left on device"], "the database's disk is full: make room on the server"),
    (["could not write init file"], "the database's disk may be full: make room on the server"),
    (
      ["database \"", "does not exist"],
      "check the database's name in the URL, or create it, owned by that user: CREATE DATABASE name OWNER user"
    ),
    (["role \"", "does not exist"], "create that user, or name another one in the URL"),
    (["too many connections for role"], "wait until others have ended, or raise the role's CONNECTION LIMIT"),
    (["too many connections for database"], "end idle sessions or raise the database's CONNECTION LIMIT"),
    (["Peer authentication failed"], "this system user may not connect as that one; run it as the collector's user"),
    (["authentication failed"], "check user and password in the URL"),
    (["no password supplied"], "put the password into the URL or a ~/.pgpass file"),
    (["is not permitted to log in"], "let that user in: ALTER ROLE name LOGIN"),
    (["permission denied for database"], "let that user in: GRANT CONNECT ON DATABASE name TO user"),
    (
      ["no pg_hba.conf entry", "no encryption"],
      "add sslmode=require to the URL, or allow this client in the server's pg_hba.conf"
    ),
    (["pg_hba.conf"], "allow this client in the server's pg_hba.conf"),
    (["connection slots"], "end idle sessions or raise the server's max_connections"),
    (["too many clients"], "end idle sessions or raise the server's max_connections"),
    (["no more connections allowed"], "raise the pooler's max_client_conn"),
    (["session is read-only"], "name the primary, or all servers of the cluster, in the URL"),
    (["server is in hot standby mode"], "name the primary, or all servers of the cluster, in the URL"),
    (["the database system is"], "it is not ready yet; try again in a moment"),
    (["server does not support SSL"], "switch ssl on in the server, or leave sslmode out of the URL"),
    (["received invalid response to SSL negotiation"], "what listens there is no PostgreSQL"),
    (["expected authentication request"], "what listens there is no PostgreSQL"),
    (
      ["certificate verify failed"],
      "name the file of the authority that signed the server's certificate: sslrootcert=FILE"
    ),
    (["root certificate file"], "put the authority's certificate there, or name its file: sslrootcert=FILE"),
    (["does not match host name"], "use a host name that is in the server's certificate"),
    (["certificate present, but not private key file"], "name the key's file: sslkey=FILE"),
    (["private key file"], "the key must be this user's own, mode 0600"),
    (["certificate file"], "check sslcert and sslkey in the URL"),
    (["requires a valid client certificate"], "name a client certificate: sslcert=FILE and sslkey=FILE"),
    (["SSL error"], "check the URL's sslmode and certificates against the server's"),
    (["could not translate host name"], "check the host's name in the URL"),
    (["invalid port number"], "a port is 1 to 65535"),
    (["invalid sslmode value"], "sslmode is disable, prefer, require, verify-ca or verify-full"),
    (["invalid target_session_attrs value"], "target_session_attrs is any or read-write"),
    (["could not open certificate"], "check sslcert in the URL"),
    (["No route to host"], "check the address, the network and the firewall"),
    (["Network is unreachable"], "check the address, the network and the firewall"),
    (["timeout expired"], "check the address, the network and the firewall"),
    (["Connection timed out"], "check the address, the network and the firewall"),
    (["Permission denied"], "this user may not enter the socket's directory; run the command as the collector's user"),
    (["server closed the connection unexpectedly"], "see the server's log, if it is PostgreSQL that listens there"),
    (["Connection refused"], "is PostgreSQL running there? Check host and port in the URL"),
    (
      ["No such file or directory"],
      "is PostgreSQL running there? Where a collector keeps a database of its own, start the collector; "
        + "else check the socket's directory and the port in the URL"
    ),
  ]
}
