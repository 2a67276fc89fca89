/** Names that a client and a gateway must agree on before the first frame. Free of imports, so that a browser bundle stays small. */
export const PROTOCOL_VERSION = 1
export const SUBPROTOCOL_JSON = 'longwire.json'
export const SUBPROTOCOL_AVRO = 'longwire.avro'
