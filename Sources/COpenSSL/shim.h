#pragma once
#include <time.h>
#include <openssl/ssl.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <openssl/pem.h>

// TLS connections: macros of OpenSSL as functions.
static inline long sbx_ctx_set_mode(SSL_CTX *c, long m) { return SSL_CTX_set_mode(c, m); }
static inline int sbx_ctx_tls13_only(SSL_CTX *c) { return (int)SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION); }
static inline void sbx_ctx_read_ahead(SSL_CTX *c, int on) { SSL_CTX_set_read_ahead(c, on); }
static inline long sbx_ctx_cache_off(SSL_CTX *c) { return SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF); }
static inline int sbx_ctx_groups(SSL_CTX *c, const char *list) { return (int)SSL_CTX_set1_groups_list(c, (char *)list); }
static inline int sbx_ctx_add_chain(SSL_CTX *c, X509 *x) { return (int)SSL_CTX_add1_chain_cert(c, x); }
static inline int sbx_ssl_set_server_name(SSL *s, const char *n) { return (int)SSL_set_tlsext_host_name(s, n); }
// Stacks of certificates: macro-made functions that Swift cannot see.
static inline int sbx_certificates_count(const STACK_OF(X509) *s) { return s ? sk_X509_num(s) : 0; }
static inline X509 *sbx_certificates_at(const STACK_OF(X509) *s, int i) { return sk_X509_value(s, i); }
static inline STACK_OF(X509) *sbx_certificates_new(void) { return sk_X509_new_null(); }
static inline int sbx_certificates_add(STACK_OF(X509) *s, X509 *x) { return sk_X509_push(s, x) > 0; }
static inline void sbx_certificates_free(STACK_OF(X509) *s) { sk_X509_free(s); }
// Alternative names of one type (GEN_DNS 2, GEN_URI 6): the i-th name's text, or NULL where it has another type.
static inline int sbx_names_count(const GENERAL_NAMES *n) { return n ? sk_GENERAL_NAME_num(n) : 0; }
static inline const unsigned char *sbx_names_text(const GENERAL_NAMES *n, int i, int type, int *length) {
  const GENERAL_NAME *name = sk_GENERAL_NAME_value(n, i);
  if (name->type != type) return 0;
  *length = ASN1_STRING_length(name->d.ia5);
  return ASN1_STRING_get0_data(name->d.ia5);
}
static inline void sbx_names_free(GENERAL_NAMES *n) { GENERAL_NAMES_free(n); }
// Seconds since 1970 of a certificate's time; 0 where it is none. Here, because `struct tm` belongs to whichever of several C modules Swift
// happens to see first.
static inline int sbx_time_seconds(const ASN1_TIME *time, long long *seconds) {
  struct tm parts;
  if (ASN1_TIME_to_tm(time, &parts) != 1) return 0;
  *seconds = timegm(&parts);
  return 1;
}
// Identity: what OpenSSL spells as macros or variadic functions.
static inline EVP_PKEY *sbx_p256_generate(void) { return EVP_EC_gen("P-256"); }
static inline void sbx_openssl_free(void *memory) { OPENSSL_free(memory); }
static inline STACK_OF(X509) *sbx_x509_stack_new(void) { return sk_X509_new_null(); }
static inline int sbx_x509_stack_push(STACK_OF(X509) *stack, X509 *x) { return sk_X509_push(stack, x); }
static inline void sbx_x509_stack_free(STACK_OF(X509) *stack) { sk_X509_pop_free(stack, X509_free); }
static inline int sbx_general_names_count(GENERAL_NAMES *names) { return sk_GENERAL_NAME_num(names); }
static inline GENERAL_NAME *sbx_general_names_at(GENERAL_NAMES *names, int index) {
  return sk_GENERAL_NAME_value(names, index);
}
