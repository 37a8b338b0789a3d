
/*
 * Host only: make keys (RSA for FITs, ECDSA for bundles), write them as PEM, and
 * sign so that the same input gives the same bytes (RFC 6979).
 */
#define MBEDTLS_GENPRIME
#define MBEDTLS_PEM_WRITE_C
#define MBEDTLS_HMAC_DRBG_C
#define MBEDTLS_ECDSA_DETERMINISTIC
#define MBEDTLS_ERROR_C
#define MBEDTLS_X509_CREATE_C
#define MBEDTLS_X509_CRT_WRITE_C	/* mkimage takes the public key from a certificate */
