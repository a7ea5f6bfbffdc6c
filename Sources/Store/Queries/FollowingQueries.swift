/// Questions about what agents found and do not read.
package enum FollowingQueries {
  /// Hosts that pass something over. Columns: host, matched_files, followed_files, waiting_files, unreadable_files,
  /// outside_files, binary_files, missing_roots, unwatched_directories, cut_directories, utf16_files.
  package static func passedOver(host: String?) -> ReadQuery {
    ReadQuery(
      """
      select h.name as host, coalesce(e.matched_files, 0) as matched_files, coalesce(e.followed_files, 0) as followed_files,
        coalesce(e.waiting_files, 0) as waiting_files, coalesce(e.unreadable_files, 0) as unreadable_files,
        coalesce(e.outside_files, 0) as outside_files, coalesce(e.binary_files, 0) as binary_files,
        coalesce(e.missing_roots, 0) as missing_roots, coalesce(e.unwatched_directories, 0) as unwatched_directories,
        coalesce(e.cut_directories, 0) as cut_directories, coalesce(e.utf16_files, 0) as utf16_files
      from signalbox.hosts h join signalbox.epochs e on e.host = h.number
      where ($1::text is null or h.number = any (\(FleetQueries.hosts("$1"))) or h.host_id::text = $1) and h.state <> 'revoked'
        and greatest(e.waiting_files, e.unreadable_files, e.outside_files, e.binary_files, e.missing_roots,
          e.unwatched_directories, e.cut_directories, e.utf16_files) > 0
      order by h.name
      """, [host])
  }
}
