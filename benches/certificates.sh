#!/bin/sh
# Makes the certificates of the measured server in a folder: a chain like Amazon's, with a root, an
# intermediate and a server on 127.0.0.1, all with RSA of 2048 bits. The client's check of the chain
# is part of the measurement. Each run makes new certificates.
#
#     benches/certificates.sh FOLDER      # root.pem, chain.pem, leaf.key
set -eu
cd "${1:?name the folder}"

# request NAME SUBJECT
request() {
    openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "$2" 2>>openssl.log
}

# sign NAME BY DAYS
sign() {
    openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -CAcreateserial -days "$3" \
        -extfile "$1.ext" -out "$1.pem" 2>>openssl.log
}

trap 'test $? = 0 || cat openssl.log >&2' EXIT
openssl req -x509 -newkey rsa:2048 -nodes -keyout root.key -out root.pem -days 30 \
    -subj '/C=US/O=Measured/CN=Measured Root CA 1' 2>>openssl.log

request middle '/C=US/O=Measured/CN=Measured RSA 2048 M01'
cat >middle.ext <<'EXTENSIONS'
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
EXTENSIONS
sign middle root 30

request leaf '/CN=route53.example.com'
cat >leaf.ext <<'EXTENSIONS'
subjectAltName = DNS:localhost, IP:127.0.0.1
extendedKeyUsage = serverAuth
keyUsage = critical, digitalSignature, keyEncipherment
EXTENSIONS
sign leaf middle 30
cat leaf.pem middle.pem >chain.pem
