/** Names the configuration file. */
export const CONFIG_FILE_ENV = 'ROUNDHOUSE_CONFIG';

/** Holds a client's key for the commands that talk with a server; a server ignores it. */
export const CLIENT_KEY_ENV = 'ROUNDHOUSE_KEY';

/** Names the server for the same commands; a server ignores it. */
export const CLIENT_URL_ENV = 'ROUNDHOUSE_URL';
