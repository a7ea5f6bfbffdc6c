/// What a statement of people may consist of. Everything else is refused: a list of what is forbidden would have to know every function
/// of every version and extension.
enum AllowedSQL {
  /// Node types of libpg_query (PostgreSQL 15, src/include/nodes/parsenodes.h and primnodes.h).
  static let nodes: Set<String> = [
    "SelectStmt", "ResTarget", "ColumnRef", "String", "Integer", "Float", "Boolean", "A_Star", "A_Const", "A_Expr",
    "BoolExpr", "FuncCall", "TypeCast", "TypeName", "SubLink", "CaseExpr", "CaseWhen", "CoalesceExpr", "MinMaxExpr",
    "NullTest", "BooleanTest", "JoinExpr", "RangeVar", "RangeSubselect", "RangeFunction", "SortBy", "WindowDef",
    "WithClause", "CommonTableExpr", "GroupingSet", "GroupingFunc", "A_ArrayExpr", "A_Indirection", "A_Indices",
    "RowExpr", "List", "SQLValueFunction", "CollateClause", "NamedArgExpr", "Alias",
  ]

  /// Functions that read their arguments and nothing else, and whose answer is not much longer than these: `repeat` or `lpad` would fill
  /// the server's memory with one value.
  static let functions: Set<String> = Set(
    """
    count sum avg min max stddev stddev_pop stddev_samp variance var_pop var_samp corr covar_pop covar_samp regr_slope
    regr_intercept regr_r2 regr_count regr_avgx regr_avgy bool_and bool_or every array_agg string_agg json_agg jsonb_agg
    json_object_agg jsonb_object_agg percentile_cont percentile_disc mode any_value
    row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value
    abs ceil ceiling floor round trunc sign sqrt cbrt exp ln log log10 power pow mod div greatest least width_bucket
    degrees radians sin cos tan asin acos atan atan2 pi
    now clock_timestamp transaction_timestamp statement_timestamp timezone date_trunc date_part extract date_bin age
    to_timestamp to_char to_date to_number make_interval make_date make_time make_timestamp make_timestamptz
    justify_hours justify_days justify_interval isfinite time_bucket time_bucket_gapfill locf interpolate
    first last histogram approximate_row_count
    lower upper initcap length char_length octet_length bit_length substring substr left right position strpos
    starts_with btrim ltrim rtrim replace translate reverse split_part string_to_array array_to_string regexp_match
    regexp_matches regexp_replace regexp_split_to_table regexp_split_to_array regexp_count regexp_like regexp_substr
    regexp_instr concat concat_ws md5 sha256 encode decode ascii chr string_to_table like_escape overlay
    coalesce nullif num_nulls num_nonnulls pg_typeof
    array_length array_upper array_lower array_position array_positions array_append array_prepend array_cat
    array_remove array_replace cardinality unnest generate_series generate_subscripts
    json_array_length jsonb_array_length json_array_elements jsonb_array_elements json_array_elements_text
    jsonb_array_elements_text json_each jsonb_each json_each_text jsonb_each_text json_object_keys jsonb_object_keys
    json_extract_path jsonb_extract_path json_extract_path_text jsonb_extract_path_text json_typeof jsonb_typeof
    json_build_object jsonb_build_object json_build_array jsonb_build_array to_json to_jsonb row_to_json
    jsonb_path_query jsonb_path_exists jsonb_path_query_array jsonb_path_query_first jsonb_path_match
    """.split(whereSeparator: \.isWhitespace).map(String.init))

  /// Names as the parser writes them.
  static let types: Set<String> = [
    "text", "varchar", "bpchar", "char", "bool", "int2", "int4", "int8", "integer", "bigint", "smallint", "float4",
    "float8", "numeric", "timestamptz", "timestamp", "date", "time", "timetz", "interval", "json", "jsonb", "uuid",
    "bytea",
  ]

  /// Function names that may be meant, by their first letters; for the sentence of a refusal.
  static func like(_ name: String) -> [String] {
    let start = name.prefix(3)
    return functions.filter { $0.hasPrefix(start) }.sorted().prefix(5).map { $0 }
  }
}
