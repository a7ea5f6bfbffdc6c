#pragma once
#include <curl/curl.h>
#include <sys/socket.h>
#include <netinet/in.h>

// curl_easy_setopt and curl_easy_getinfo are variadic, which Swift cannot call.
static inline CURLcode sbx_curl_set_long(CURL *handle, CURLoption option, long value) {
  return curl_easy_setopt(handle, option, value);
}
static inline CURLcode sbx_curl_set_text(CURL *handle, CURLoption option, const char *value) {
  return curl_easy_setopt(handle, option, value);
}
static inline CURLcode sbx_curl_set_pointer(CURL *handle, CURLoption option, void *value) {
  return curl_easy_setopt(handle, option, value);
}
static inline CURLcode sbx_curl_set_list(CURL *handle, CURLoption option, struct curl_slist *value) {
  return curl_easy_setopt(handle, option, value);
}
static inline CURLcode sbx_curl_set_transfer(CURL *handle, CURLoption option,
                                             size_t (*callback)(char *, size_t, size_t, void *)) {
  return curl_easy_setopt(handle, option, callback);
}
static inline CURLcode sbx_curl_set_socket(CURL *handle,
                                           curl_socket_t (*callback)(void *, curlsocktype, struct curl_sockaddr *)) {
  return curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, callback);
}
static inline CURLcode sbx_curl_set_before_request(CURL *handle, int (*callback)(void *, char *, char *, int, int)) {
  return curl_easy_setopt(handle, CURLOPT_PREREQFUNCTION, callback);
}
// One refused address must not keep the mail from the others. The option was misspelt before 8.2.0.
static inline CURLcode sbx_curl_allow_refused_recipients(CURL *handle) {
#if LIBCURL_VERSION_NUM >= 0x080200
  return curl_easy_setopt(handle, CURLOPT_MAIL_RCPT_ALLOWFAILS, 1L);
#else
  return curl_easy_setopt(handle, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
#endif
}
// The named file alone: libcurl's directory of the system's authorities would be asked as well.
static inline CURLcode sbx_curl_set_authorities(CURL *handle, const char *file) {
  curl_easy_setopt(handle, CURLOPT_CAPATH, NULL);
  return curl_easy_setopt(handle, CURLOPT_CAINFO, file);
}
// OpenSSL's X509_V_….
static inline CURLcode sbx_curl_verify_result(CURL *handle, long *code) {
  return curl_easy_getinfo(handle, CURLINFO_SSL_VERIFYRESULT, code);
}
static inline CURLcode sbx_curl_response_code(CURL *handle, long *code) {
  return curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, code);
}
static inline CURLcode sbx_curl_retry_after(CURL *handle, curl_off_t *seconds) {
  return curl_easy_getinfo(handle, CURLINFO_RETRY_AFTER, seconds);
}
// CURLMsg holds a union.
static inline CURL *sbx_curl_next_done(CURLM *multi, CURLcode *result) {
  int left = 0;
  CURLMsg *message;
  while ((message = curl_multi_info_read(multi, &left)))
    if (message->msg == CURLMSG_DONE) {
      *result = message->data.result;
      return message->easy_handle;
    }
  return 0;
}
static inline CURLMcode sbx_curl_multi_connections(CURLM *multi, long most) {
  return curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, most);
}
