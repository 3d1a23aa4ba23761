/** Names the configuration file. */
export const CONFIG_FILE_ENV = 'ROUNDHOUSE_CONFIG';

/** Holds a client's key for `roundhouse chat`; a server ignores it. */
export const CLIENT_KEY_ENV = 'ROUNDHOUSE_KEY';
