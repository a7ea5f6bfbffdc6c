internal import Files

/// Keys and certificates in files.
package enum KeyFiles {
  /// - Throws: `.permissions` where the group or others have any right on the key's file.
  package static func privateKey(_ path: String) throws(IdentityError) -> PrivateKey {
    let bytes = try read(path)
    guard let mode = try? FileStatus.of(path: path).mode, mode & 0o077 == 0 else {
      throw IdentityError(.permissions, "\(path) can be read by others than its owner: chmod 600 it, or make a new key")
    }
    do throws(IdentityError) {
      return try PrivateKey.decode(pem: bytes)
    } catch {
      throw IdentityError(error.code, "\(path): \(error.message)")
    }
  }

  /// - Returns: at least one.
  package static func certificates(_ path: String) throws(IdentityError) -> [Certificate] {
    let bytes = try read(path)
    do throws(IdentityError) {
      return try Certificate.decode(pem: bytes)
    } catch {
      throw IdentityError(error.code, "\(path): \(error.message)")
    }
  }

  package static func read(_ path: String) throws(IdentityError) -> [UInt8] {
    do throws(FileError) {
      return try HostFiles.read(path, limitBytes: PEM.textBytesMax + 1)
    } catch {
      throw IdentityError(error)
    }
  }
}
