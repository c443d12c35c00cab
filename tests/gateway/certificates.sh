#!/usr/bin/env bash
# An authority in FOLDER, and certificates of it for a broker on 127.0.0.1, or with the NAMES that are given, and for a client. Each is good
# for a day: certificates.sh FOLDER [NAMES]
set -eu
names=${2:-IP:127.0.0.1,DNS:localhost}
cd "$1"
key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }
key ca
openssl req -x509 -new -key ca.key -subj "/CN=test authority" -days 1 -out ca.pem \
    -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign"
sign() { # NAME EXTENSIONS
    key "$1"
    openssl req -new -key "$1.key" -subj "/CN=$1" -out "$1.csr"
    openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 1 -out "$1.pem" -extfile <(printf '%b' "$2") 2>/dev/null
}
sign broker "basicConstraints=CA:FALSE\nsubjectAltName=$names\nextendedKeyUsage=serverAuth\n"
sign client "basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\n"
# Mosquitto reads its key as a user of its own where it is started as root.
chmod 644 ./*.key
