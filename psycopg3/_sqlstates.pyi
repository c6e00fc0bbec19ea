"""The exceptions that `psycopg3.errors` makes when asked for, for type checkers."""

# Written by `python tools/sqlstates.py`: edit that.
# ruff: noqa: I001, N801, PYI021

from psycopg3._exceptions import (
    DataError,
    DatabaseError,
    IntegrityError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)

__all__ = [
    "NoData",
    "NoAdditionalDynamicResultSetsReturned",
    "SqlStatementNotYetComplete",
    "ConnectionException",
    "SqlclientUnableToEstablishSqlconnection",
    "ConnectionDoesNotExist",
    "SqlserverRejectedEstablishmentOfSqlconnection",
    "ConnectionFailure",
    "TransactionResolutionUnknown",
    "ProtocolViolation",
    "TriggeredActionException",
    "FeatureNotSupported",
    "InvalidTransactionInitiation",
    "LocatorException",
    "InvalidLocatorSpecification",
    "InvalidGrantor",
    "InvalidGrantOperation",
    "InvalidRoleSpecification",
    "DiagnosticsException",
    "StackedDiagnosticsAccessedWithoutActiveHandler",
    "InvalidArgumentForXquery",
    "CaseNotFound",
    "CardinalityViolation",
    "DataException",
    "StringDataRightTruncation",
    "NullValueNoIndicatorParameter",
    "NumericValueOutOfRange",
    "NullValueNotAllowed",
    "ErrorInAssignment",
    "InvalidDatetimeFormat",
    "DatetimeFieldOverflow",
    "InvalidTimeZoneDisplacementValue",
    "EscapeCharacterConflict",
    "InvalidUseOfEscapeCharacter",
    "InvalidEscapeOctet",
    "ZeroLengthCharacterString",
    "MostSpecificTypeMismatch",
    "SequenceGeneratorLimitExceeded",
    "NotAnXmlDocument",
    "InvalidXmlDocument",
    "InvalidXmlContent",
    "InvalidXmlComment",
    "InvalidXmlProcessingInstruction",
    "InvalidIndicatorParameterValue",
    "SubstringError",
    "DivisionByZero",
    "InvalidPrecedingOrFollowingSize",
    "InvalidArgumentForNtileFunction",
    "IntervalFieldOverflow",
    "InvalidArgumentForNthValueFunction",
    "InvalidCharacterValueForCast",
    "InvalidEscapeCharacter",
    "InvalidRegularExpression",
    "InvalidArgumentForLogarithm",
    "InvalidArgumentForPowerFunction",
    "InvalidArgumentForWidthBucketFunction",
    "InvalidRowCountInLimitClause",
    "InvalidRowCountInResultOffsetClause",
    "CharacterNotInRepertoire",
    "IndicatorOverflow",
    "InvalidParameterValue",
    "UnterminatedCString",
    "InvalidEscapeSequence",
    "StringDataLengthMismatch",
    "TrimError",
    "ArraySubscriptError",
    "InvalidTablesampleRepeat",
    "InvalidTablesampleArgument",
    "DuplicateJsonObjectKeyValue",
    "InvalidArgumentForSqlJsonDatetimeFunction",
    "InvalidJsonText",
    "InvalidSqlJsonSubscript",
    "MoreThanOneSqlJsonItem",
    "NoSqlJsonItem",
    "NonNumericSqlJsonItem",
    "NonUniqueKeysInAJsonObject",
    "SingletonSqlJsonItemRequired",
    "SqlJsonArrayNotFound",
    "SqlJsonMemberNotFound",
    "SqlJsonNumberNotFound",
    "SqlJsonObjectNotFound",
    "TooManyJsonArrayElements",
    "TooManyJsonObjectMembers",
    "SqlJsonScalarRequired",
    "SqlJsonItemCannotBeCastToTargetType",
    "FloatingPointException",
    "InvalidTextRepresentation",
    "InvalidBinaryRepresentation",
    "BadCopyFileFormat",
    "UntranslatableCharacter",
    "NonstandardUseOfEscapeCharacter",
    "IntegrityConstraintViolation",
    "RestrictViolation",
    "NotNullViolation",
    "ForeignKeyViolation",
    "UniqueViolation",
    "CheckViolation",
    "ExclusionViolation",
    "InvalidCursorState",
    "InvalidTransactionState",
    "ActiveSqlTransaction",
    "BranchTransactionAlreadyActive",
    "InappropriateAccessModeForBranchTransaction",
    "InappropriateIsolationLevelForBranchTransaction",
    "NoActiveSqlTransactionForBranchTransaction",
    "ReadOnlySqlTransaction",
    "SchemaAndDataStatementMixingNotSupported",
    "HeldCursorRequiresSameIsolationLevel",
    "NoActiveSqlTransaction",
    "InFailedSqlTransaction",
    "IdleInTransactionSessionTimeout",
    "TransactionTimeout",
    "InvalidSqlStatementName",
    "TriggeredDataChangeViolation",
    "InvalidAuthorizationSpecification",
    "InvalidPassword",
    "DependentPrivilegeDescriptorsStillExist",
    "DependentObjectsStillExist",
    "InvalidTransactionTermination",
    "SqlRoutineException",
    "ModifyingSqlDataNotPermitted",
    "ProhibitedSqlStatementAttempted",
    "ReadingSqlDataNotPermitted",
    "FunctionExecutedNoReturnStatement",
    "InvalidCursorName",
    "ExternalRoutineException",
    "ContainingSqlNotPermitted",
    "ModifyingSqlDataNotPermittedExt",
    "ProhibitedSqlStatementAttemptedExt",
    "ReadingSqlDataNotPermittedExt",
    "ExternalRoutineInvocationException",
    "InvalidSqlstateReturned",
    "NullValueNotAllowedExt",
    "TriggerProtocolViolated",
    "SrfProtocolViolated",
    "EventTriggerProtocolViolated",
    "SavepointException",
    "InvalidSavepointSpecification",
    "InvalidCatalogName",
    "InvalidSchemaName",
    "TransactionRollback",
    "SerializationFailure",
    "TransactionIntegrityConstraintViolation",
    "StatementCompletionUnknown",
    "DeadlockDetected",
    "SyntaxErrorOrAccessRuleViolation",
    "InsufficientPrivilege",
    "SyntaxError",
    "InvalidName",
    "InvalidColumnDefinition",
    "NameTooLong",
    "DuplicateColumn",
    "AmbiguousColumn",
    "UndefinedColumn",
    "UndefinedObject",
    "DuplicateObject",
    "DuplicateAlias",
    "DuplicateFunction",
    "AmbiguousFunction",
    "GroupingError",
    "DatatypeMismatch",
    "WrongObjectType",
    "InvalidForeignKey",
    "CannotCoerce",
    "UndefinedFunction",
    "GeneratedAlways",
    "ReservedName",
    "UndefinedTable",
    "UndefinedParameter",
    "DuplicateCursor",
    "DuplicateDatabase",
    "DuplicatePreparedStatement",
    "DuplicateSchema",
    "DuplicateTable",
    "AmbiguousParameter",
    "AmbiguousAlias",
    "InvalidColumnReference",
    "InvalidCursorDefinition",
    "InvalidDatabaseDefinition",
    "InvalidFunctionDefinition",
    "InvalidPreparedStatementDefinition",
    "InvalidSchemaDefinition",
    "InvalidTableDefinition",
    "InvalidObjectDefinition",
    "IndeterminateDatatype",
    "InvalidRecursion",
    "WindowingError",
    "CollationMismatch",
    "IndeterminateCollation",
    "WithCheckOptionViolation",
    "InsufficientResources",
    "DiskFull",
    "OutOfMemory",
    "TooManyConnections",
    "ConfigurationLimitExceeded",
    "ProgramLimitExceeded",
    "StatementTooComplex",
    "TooManyColumns",
    "TooManyArguments",
    "ObjectNotInPrerequisiteState",
    "ObjectInUse",
    "CantChangeRuntimeParam",
    "LockNotAvailable",
    "UnsafeNewEnumValueUsage",
    "OperatorIntervention",
    "QueryCanceled",
    "AdminShutdown",
    "CrashShutdown",
    "CannotConnectNow",
    "DatabaseDropped",
    "IdleSessionTimeout",
    "SystemError",
    "IoError",
    "UndefinedFile",
    "DuplicateFile",
    "FileNameTooLong",
    "SnapshotTooOld",
    "ConfigFileError",
    "LockFileExists",
    "FdwError",
    "FdwOutOfMemory",
    "FdwDynamicParameterValueNeeded",
    "FdwInvalidDataType",
    "FdwColumnNameNotFound",
    "FdwInvalidDataTypeDescriptors",
    "FdwInvalidColumnName",
    "FdwInvalidColumnNumber",
    "FdwInvalidUseOfNullPointer",
    "FdwInvalidStringFormat",
    "FdwInvalidHandle",
    "FdwInvalidOptionIndex",
    "FdwInvalidOptionName",
    "FdwOptionNameNotFound",
    "FdwReplyHandle",
    "FdwUnableToCreateExecution",
    "FdwUnableToCreateReply",
    "FdwUnableToEstablishConnection",
    "FdwNoSchemas",
    "FdwSchemaNotFound",
    "FdwTableNotFound",
    "FdwFunctionSequenceError",
    "FdwTooManyHandles",
    "FdwInconsistentDescriptorInformation",
    "FdwInvalidAttributeValue",
    "FdwInvalidStringLengthOrBufferLength",
    "FdwInvalidDescriptorFieldIdentifier",
    "PlpgsqlError",
    "RaiseException",
    "NoDataFound",
    "TooManyRows",
    "AssertFailure",
    "InternalError_",
    "DataCorrupted",
    "IndexCorrupted",
]

BASES: dict[str, str]
NAMES: dict[str, str]

class NoData(DatabaseError):
    """SQLSTATE 02000: no data."""

class NoAdditionalDynamicResultSetsReturned(DatabaseError):
    """SQLSTATE 02001: no additional dynamic result sets returned."""

class SqlStatementNotYetComplete(DatabaseError):
    """SQLSTATE 03000: sql statement not yet complete."""

class ConnectionException(OperationalError):
    """SQLSTATE 08000: connection exception."""

class SqlclientUnableToEstablishSqlconnection(OperationalError):
    """SQLSTATE 08001: sqlclient unable to establish sqlconnection."""

class ConnectionDoesNotExist(OperationalError):
    """SQLSTATE 08003: connection does not exist."""

class SqlserverRejectedEstablishmentOfSqlconnection(OperationalError):
    """SQLSTATE 08004: sqlserver rejected establishment of sqlconnection."""

class ConnectionFailure(OperationalError):
    """SQLSTATE 08006: connection failure."""

class TransactionResolutionUnknown(OperationalError):
    """SQLSTATE 08007: transaction resolution unknown."""

class ProtocolViolation(OperationalError):
    """SQLSTATE 08P01: protocol violation."""

class TriggeredActionException(DatabaseError):
    """SQLSTATE 09000: triggered action exception."""

class FeatureNotSupported(NotSupportedError):
    """SQLSTATE 0A000: feature not supported."""

class InvalidTransactionInitiation(DatabaseError):
    """SQLSTATE 0B000: invalid transaction initiation."""

class LocatorException(DatabaseError):
    """SQLSTATE 0F000: locator exception."""

class InvalidLocatorSpecification(DatabaseError):
    """SQLSTATE 0F001: invalid locator specification."""

class InvalidGrantor(DatabaseError):
    """SQLSTATE 0L000: invalid grantor."""

class InvalidGrantOperation(DatabaseError):
    """SQLSTATE 0LP01: invalid grant operation."""

class InvalidRoleSpecification(DatabaseError):
    """SQLSTATE 0P000: invalid role specification."""

class DiagnosticsException(DatabaseError):
    """SQLSTATE 0Z000: diagnostics exception."""

class StackedDiagnosticsAccessedWithoutActiveHandler(DatabaseError):
    """SQLSTATE 0Z002: stacked diagnostics accessed without active handler."""

class InvalidArgumentForXquery(ProgrammingError):
    """SQLSTATE 10608: invalid argument for xquery."""

class CaseNotFound(ProgrammingError):
    """SQLSTATE 20000: case not found."""

class CardinalityViolation(ProgrammingError):
    """SQLSTATE 21000: cardinality violation."""

class DataException(DataError):
    """SQLSTATE 22000: data exception."""

class StringDataRightTruncation(DataError):
    """SQLSTATE 22001: string data right truncation."""

class NullValueNoIndicatorParameter(DataError):
    """SQLSTATE 22002: null value no indicator parameter."""

class NumericValueOutOfRange(DataError):
    """SQLSTATE 22003: numeric value out of range."""

class NullValueNotAllowed(DataError):
    """SQLSTATE 22004: null value not allowed."""

class ErrorInAssignment(DataError):
    """SQLSTATE 22005: error in assignment."""

class InvalidDatetimeFormat(DataError):
    """SQLSTATE 22007: invalid datetime format."""

class DatetimeFieldOverflow(DataError):
    """SQLSTATE 22008: datetime field overflow."""

class InvalidTimeZoneDisplacementValue(DataError):
    """SQLSTATE 22009: invalid time zone displacement value."""

class EscapeCharacterConflict(DataError):
    """SQLSTATE 2200B: escape character conflict."""

class InvalidUseOfEscapeCharacter(DataError):
    """SQLSTATE 2200C: invalid use of escape character."""

class InvalidEscapeOctet(DataError):
    """SQLSTATE 2200D: invalid escape octet."""

class ZeroLengthCharacterString(DataError):
    """SQLSTATE 2200F: zero length character string."""

class MostSpecificTypeMismatch(DataError):
    """SQLSTATE 2200G: most specific type mismatch."""

class SequenceGeneratorLimitExceeded(DataError):
    """SQLSTATE 2200H: sequence generator limit exceeded."""

class NotAnXmlDocument(DataError):
    """SQLSTATE 2200L: not an xml document."""

class InvalidXmlDocument(DataError):
    """SQLSTATE 2200M: invalid xml document."""

class InvalidXmlContent(DataError):
    """SQLSTATE 2200N: invalid xml content."""

class InvalidXmlComment(DataError):
    """SQLSTATE 2200S: invalid xml comment."""

class InvalidXmlProcessingInstruction(DataError):
    """SQLSTATE 2200T: invalid xml processing instruction."""

class InvalidIndicatorParameterValue(DataError):
    """SQLSTATE 22010: invalid indicator parameter value."""

class SubstringError(DataError):
    """SQLSTATE 22011: substring error."""

class DivisionByZero(DataError):
    """SQLSTATE 22012: division by zero."""

class InvalidPrecedingOrFollowingSize(DataError):
    """SQLSTATE 22013: invalid preceding or following size."""

class InvalidArgumentForNtileFunction(DataError):
    """SQLSTATE 22014: invalid argument for ntile function."""

class IntervalFieldOverflow(DataError):
    """SQLSTATE 22015: interval field overflow."""

class InvalidArgumentForNthValueFunction(DataError):
    """SQLSTATE 22016: invalid argument for nth value function."""

class InvalidCharacterValueForCast(DataError):
    """SQLSTATE 22018: invalid character value for cast."""

class InvalidEscapeCharacter(DataError):
    """SQLSTATE 22019: invalid escape character."""

class InvalidRegularExpression(DataError):
    """SQLSTATE 2201B: invalid regular expression."""

class InvalidArgumentForLogarithm(DataError):
    """SQLSTATE 2201E: invalid argument for logarithm."""

class InvalidArgumentForPowerFunction(DataError):
    """SQLSTATE 2201F: invalid argument for power function."""

class InvalidArgumentForWidthBucketFunction(DataError):
    """SQLSTATE 2201G: invalid argument for width bucket function."""

class InvalidRowCountInLimitClause(DataError):
    """SQLSTATE 2201W: invalid row count in limit clause."""

class InvalidRowCountInResultOffsetClause(DataError):
    """SQLSTATE 2201X: invalid row count in result offset clause."""

class CharacterNotInRepertoire(DataError):
    """SQLSTATE 22021: character not in repertoire."""

class IndicatorOverflow(DataError):
    """SQLSTATE 22022: indicator overflow."""

class InvalidParameterValue(DataError):
    """SQLSTATE 22023: invalid parameter value."""

class UnterminatedCString(DataError):
    """SQLSTATE 22024: unterminated c string."""

class InvalidEscapeSequence(DataError):
    """SQLSTATE 22025: invalid escape sequence."""

class StringDataLengthMismatch(DataError):
    """SQLSTATE 22026: string data length mismatch."""

class TrimError(DataError):
    """SQLSTATE 22027: trim error."""

class ArraySubscriptError(DataError):
    """SQLSTATE 2202E: array subscript error."""

class InvalidTablesampleRepeat(DataError):
    """SQLSTATE 2202G: invalid tablesample repeat."""

class InvalidTablesampleArgument(DataError):
    """SQLSTATE 2202H: invalid tablesample argument."""

class DuplicateJsonObjectKeyValue(DataError):
    """SQLSTATE 22030: duplicate json object key value."""

class InvalidArgumentForSqlJsonDatetimeFunction(DataError):
    """SQLSTATE 22031: invalid argument for sql json datetime function."""

class InvalidJsonText(DataError):
    """SQLSTATE 22032: invalid json text."""

class InvalidSqlJsonSubscript(DataError):
    """SQLSTATE 22033: invalid sql json subscript."""

class MoreThanOneSqlJsonItem(DataError):
    """SQLSTATE 22034: more than one sql json item."""

class NoSqlJsonItem(DataError):
    """SQLSTATE 22035: no sql json item."""

class NonNumericSqlJsonItem(DataError):
    """SQLSTATE 22036: non numeric sql json item."""

class NonUniqueKeysInAJsonObject(DataError):
    """SQLSTATE 22037: non unique keys in a json object."""

class SingletonSqlJsonItemRequired(DataError):
    """SQLSTATE 22038: singleton sql json item required."""

class SqlJsonArrayNotFound(DataError):
    """SQLSTATE 22039: sql json array not found."""

class SqlJsonMemberNotFound(DataError):
    """SQLSTATE 2203A: sql json member not found."""

class SqlJsonNumberNotFound(DataError):
    """SQLSTATE 2203B: sql json number not found."""

class SqlJsonObjectNotFound(DataError):
    """SQLSTATE 2203C: sql json object not found."""

class TooManyJsonArrayElements(DataError):
    """SQLSTATE 2203D: too many json array elements."""

class TooManyJsonObjectMembers(DataError):
    """SQLSTATE 2203E: too many json object members."""

class SqlJsonScalarRequired(DataError):
    """SQLSTATE 2203F: sql json scalar required."""

class SqlJsonItemCannotBeCastToTargetType(DataError):
    """SQLSTATE 2203G: sql json item cannot be cast to target type."""

class FloatingPointException(DataError):
    """SQLSTATE 22P01: floating point exception."""

class InvalidTextRepresentation(DataError):
    """SQLSTATE 22P02: invalid text representation."""

class InvalidBinaryRepresentation(DataError):
    """SQLSTATE 22P03: invalid binary representation."""

class BadCopyFileFormat(DataError):
    """SQLSTATE 22P04: bad copy file format."""

class UntranslatableCharacter(DataError):
    """SQLSTATE 22P05: untranslatable character."""

class NonstandardUseOfEscapeCharacter(DataError):
    """SQLSTATE 22P06: nonstandard use of escape character."""

class IntegrityConstraintViolation(IntegrityError):
    """SQLSTATE 23000: integrity constraint violation."""

class RestrictViolation(IntegrityError):
    """SQLSTATE 23001: restrict violation."""

class NotNullViolation(IntegrityError):
    """SQLSTATE 23502: not null violation."""

class ForeignKeyViolation(IntegrityError):
    """SQLSTATE 23503: foreign key violation."""

class UniqueViolation(IntegrityError):
    """SQLSTATE 23505: unique violation."""

class CheckViolation(IntegrityError):
    """SQLSTATE 23514: check violation."""

class ExclusionViolation(IntegrityError):
    """SQLSTATE 23P01: exclusion violation."""

class InvalidCursorState(InternalError):
    """SQLSTATE 24000: invalid cursor state."""

class InvalidTransactionState(InternalError):
    """SQLSTATE 25000: invalid transaction state."""

class ActiveSqlTransaction(InternalError):
    """SQLSTATE 25001: active sql transaction."""

class BranchTransactionAlreadyActive(InternalError):
    """SQLSTATE 25002: branch transaction already active."""

class InappropriateAccessModeForBranchTransaction(InternalError):
    """SQLSTATE 25003: inappropriate access mode for branch transaction."""

class InappropriateIsolationLevelForBranchTransaction(InternalError):
    """SQLSTATE 25004: inappropriate isolation level for branch transaction."""

class NoActiveSqlTransactionForBranchTransaction(InternalError):
    """SQLSTATE 25005: no active sql transaction for branch transaction."""

class ReadOnlySqlTransaction(InternalError):
    """SQLSTATE 25006: read only sql transaction."""

class SchemaAndDataStatementMixingNotSupported(InternalError):
    """SQLSTATE 25007: schema and data statement mixing not supported."""

class HeldCursorRequiresSameIsolationLevel(InternalError):
    """SQLSTATE 25008: held cursor requires same isolation level."""

class NoActiveSqlTransaction(InternalError):
    """SQLSTATE 25P01: no active sql transaction."""

class InFailedSqlTransaction(InternalError):
    """SQLSTATE 25P02: in failed sql transaction."""

class IdleInTransactionSessionTimeout(InternalError):
    """SQLSTATE 25P03: idle in transaction session timeout."""

class TransactionTimeout(InternalError):
    """SQLSTATE 25P04: transaction timeout."""

class InvalidSqlStatementName(ProgrammingError):
    """SQLSTATE 26000: invalid sql statement name."""

class TriggeredDataChangeViolation(OperationalError):
    """SQLSTATE 27000: triggered data change violation."""

class InvalidAuthorizationSpecification(OperationalError):
    """SQLSTATE 28000: invalid authorization specification."""

class InvalidPassword(OperationalError):
    """SQLSTATE 28P01: invalid password."""

class DependentPrivilegeDescriptorsStillExist(InternalError):
    """SQLSTATE 2B000: dependent privilege descriptors still exist."""

class DependentObjectsStillExist(InternalError):
    """SQLSTATE 2BP01: dependent objects still exist."""

class InvalidTransactionTermination(InternalError):
    """SQLSTATE 2D000: invalid transaction termination."""

class SqlRoutineException(OperationalError):
    """SQLSTATE 2F000: sql routine exception."""

class ModifyingSqlDataNotPermitted(OperationalError):
    """SQLSTATE 2F002: modifying sql data not permitted."""

class ProhibitedSqlStatementAttempted(OperationalError):
    """SQLSTATE 2F003: prohibited sql statement attempted."""

class ReadingSqlDataNotPermitted(OperationalError):
    """SQLSTATE 2F004: reading sql data not permitted."""

class FunctionExecutedNoReturnStatement(OperationalError):
    """SQLSTATE 2F005: function executed no return statement."""

class InvalidCursorName(ProgrammingError):
    """SQLSTATE 34000: invalid cursor name."""

class ExternalRoutineException(OperationalError):
    """SQLSTATE 38000: external routine exception."""

class ContainingSqlNotPermitted(OperationalError):
    """SQLSTATE 38001: containing sql not permitted."""

class ModifyingSqlDataNotPermittedExt(OperationalError):
    """SQLSTATE 38002: modifying sql data not permitted."""

class ProhibitedSqlStatementAttemptedExt(OperationalError):
    """SQLSTATE 38003: prohibited sql statement attempted."""

class ReadingSqlDataNotPermittedExt(OperationalError):
    """SQLSTATE 38004: reading sql data not permitted."""

class ExternalRoutineInvocationException(OperationalError):
    """SQLSTATE 39000: external routine invocation exception."""

class InvalidSqlstateReturned(OperationalError):
    """SQLSTATE 39001: invalid sqlstate returned."""

class NullValueNotAllowedExt(OperationalError):
    """SQLSTATE 39004: null value not allowed."""

class TriggerProtocolViolated(OperationalError):
    """SQLSTATE 39P01: trigger protocol violated."""

class SrfProtocolViolated(OperationalError):
    """SQLSTATE 39P02: srf protocol violated."""

class EventTriggerProtocolViolated(OperationalError):
    """SQLSTATE 39P03: event trigger protocol violated."""

class SavepointException(OperationalError):
    """SQLSTATE 3B000: savepoint exception."""

class InvalidSavepointSpecification(OperationalError):
    """SQLSTATE 3B001: invalid savepoint specification."""

class InvalidCatalogName(ProgrammingError):
    """SQLSTATE 3D000: invalid catalog name."""

class InvalidSchemaName(ProgrammingError):
    """SQLSTATE 3F000: invalid schema name."""

class TransactionRollback(OperationalError):
    """SQLSTATE 40000: transaction rollback."""

class SerializationFailure(OperationalError):
    """SQLSTATE 40001: serialization failure."""

class TransactionIntegrityConstraintViolation(OperationalError):
    """SQLSTATE 40002: transaction integrity constraint violation."""

class StatementCompletionUnknown(OperationalError):
    """SQLSTATE 40003: statement completion unknown."""

class DeadlockDetected(OperationalError):
    """SQLSTATE 40P01: deadlock detected."""

class SyntaxErrorOrAccessRuleViolation(ProgrammingError):
    """SQLSTATE 42000: syntax error or access rule violation."""

class InsufficientPrivilege(ProgrammingError):
    """SQLSTATE 42501: insufficient privilege."""

class SyntaxError(ProgrammingError):
    """SQLSTATE 42601: syntax error."""

class InvalidName(ProgrammingError):
    """SQLSTATE 42602: invalid name."""

class InvalidColumnDefinition(ProgrammingError):
    """SQLSTATE 42611: invalid column definition."""

class NameTooLong(ProgrammingError):
    """SQLSTATE 42622: name too long."""

class DuplicateColumn(ProgrammingError):
    """SQLSTATE 42701: duplicate column."""

class AmbiguousColumn(ProgrammingError):
    """SQLSTATE 42702: ambiguous column."""

class UndefinedColumn(ProgrammingError):
    """SQLSTATE 42703: undefined column."""

class UndefinedObject(ProgrammingError):
    """SQLSTATE 42704: undefined object."""

class DuplicateObject(ProgrammingError):
    """SQLSTATE 42710: duplicate object."""

class DuplicateAlias(ProgrammingError):
    """SQLSTATE 42712: duplicate alias."""

class DuplicateFunction(ProgrammingError):
    """SQLSTATE 42723: duplicate function."""

class AmbiguousFunction(ProgrammingError):
    """SQLSTATE 42725: ambiguous function."""

class GroupingError(ProgrammingError):
    """SQLSTATE 42803: grouping error."""

class DatatypeMismatch(ProgrammingError):
    """SQLSTATE 42804: datatype mismatch."""

class WrongObjectType(ProgrammingError):
    """SQLSTATE 42809: wrong object type."""

class InvalidForeignKey(ProgrammingError):
    """SQLSTATE 42830: invalid foreign key."""

class CannotCoerce(ProgrammingError):
    """SQLSTATE 42846: cannot coerce."""

class UndefinedFunction(ProgrammingError):
    """SQLSTATE 42883: undefined function."""

class GeneratedAlways(ProgrammingError):
    """SQLSTATE 428C9: generated always."""

class ReservedName(ProgrammingError):
    """SQLSTATE 42939: reserved name."""

class UndefinedTable(ProgrammingError):
    """SQLSTATE 42P01: undefined table."""

class UndefinedParameter(ProgrammingError):
    """SQLSTATE 42P02: undefined parameter."""

class DuplicateCursor(ProgrammingError):
    """SQLSTATE 42P03: duplicate cursor."""

class DuplicateDatabase(ProgrammingError):
    """SQLSTATE 42P04: duplicate database."""

class DuplicatePreparedStatement(ProgrammingError):
    """SQLSTATE 42P05: duplicate prepared statement."""

class DuplicateSchema(ProgrammingError):
    """SQLSTATE 42P06: duplicate schema."""

class DuplicateTable(ProgrammingError):
    """SQLSTATE 42P07: duplicate table."""

class AmbiguousParameter(ProgrammingError):
    """SQLSTATE 42P08: ambiguous parameter."""

class AmbiguousAlias(ProgrammingError):
    """SQLSTATE 42P09: ambiguous alias."""

class InvalidColumnReference(ProgrammingError):
    """SQLSTATE 42P10: invalid column reference."""

class InvalidCursorDefinition(ProgrammingError):
    """SQLSTATE 42P11: invalid cursor definition."""

class InvalidDatabaseDefinition(ProgrammingError):
    """SQLSTATE 42P12: invalid database definition."""

class InvalidFunctionDefinition(ProgrammingError):
    """SQLSTATE 42P13: invalid function definition."""

class InvalidPreparedStatementDefinition(ProgrammingError):
    """SQLSTATE 42P14: invalid prepared statement definition."""

class InvalidSchemaDefinition(ProgrammingError):
    """SQLSTATE 42P15: invalid schema definition."""

class InvalidTableDefinition(ProgrammingError):
    """SQLSTATE 42P16: invalid table definition."""

class InvalidObjectDefinition(ProgrammingError):
    """SQLSTATE 42P17: invalid object definition."""

class IndeterminateDatatype(ProgrammingError):
    """SQLSTATE 42P18: indeterminate datatype."""

class InvalidRecursion(ProgrammingError):
    """SQLSTATE 42P19: invalid recursion."""

class WindowingError(ProgrammingError):
    """SQLSTATE 42P20: windowing error."""

class CollationMismatch(ProgrammingError):
    """SQLSTATE 42P21: collation mismatch."""

class IndeterminateCollation(ProgrammingError):
    """SQLSTATE 42P22: indeterminate collation."""

class WithCheckOptionViolation(ProgrammingError):
    """SQLSTATE 44000: with check option violation."""

class InsufficientResources(OperationalError):
    """SQLSTATE 53000: insufficient resources."""

class DiskFull(OperationalError):
    """SQLSTATE 53100: disk full."""

class OutOfMemory(OperationalError):
    """SQLSTATE 53200: out of memory."""

class TooManyConnections(OperationalError):
    """SQLSTATE 53300: too many connections."""

class ConfigurationLimitExceeded(OperationalError):
    """SQLSTATE 53400: configuration limit exceeded."""

class ProgramLimitExceeded(OperationalError):
    """SQLSTATE 54000: program limit exceeded."""

class StatementTooComplex(OperationalError):
    """SQLSTATE 54001: statement too complex."""

class TooManyColumns(OperationalError):
    """SQLSTATE 54011: too many columns."""

class TooManyArguments(OperationalError):
    """SQLSTATE 54023: too many arguments."""

class ObjectNotInPrerequisiteState(OperationalError):
    """SQLSTATE 55000: object not in prerequisite state."""

class ObjectInUse(OperationalError):
    """SQLSTATE 55006: object in use."""

class CantChangeRuntimeParam(OperationalError):
    """SQLSTATE 55P02: cant change runtime param."""

class LockNotAvailable(OperationalError):
    """SQLSTATE 55P03: lock not available."""

class UnsafeNewEnumValueUsage(OperationalError):
    """SQLSTATE 55P04: unsafe new enum value usage."""

class OperatorIntervention(OperationalError):
    """SQLSTATE 57000: operator intervention."""

class QueryCanceled(OperationalError):
    """SQLSTATE 57014: query canceled."""

class AdminShutdown(OperationalError):
    """SQLSTATE 57P01: admin shutdown."""

class CrashShutdown(OperationalError):
    """SQLSTATE 57P02: crash shutdown."""

class CannotConnectNow(OperationalError):
    """SQLSTATE 57P03: cannot connect now."""

class DatabaseDropped(OperationalError):
    """SQLSTATE 57P04: database dropped."""

class IdleSessionTimeout(OperationalError):
    """SQLSTATE 57P05: idle session timeout."""

class SystemError(OperationalError):
    """SQLSTATE 58000: system error."""

class IoError(OperationalError):
    """SQLSTATE 58030: io error."""

class UndefinedFile(OperationalError):
    """SQLSTATE 58P01: undefined file."""

class DuplicateFile(OperationalError):
    """SQLSTATE 58P02: duplicate file."""

class FileNameTooLong(OperationalError):
    """SQLSTATE 58P03: file name too long."""

class SnapshotTooOld(DatabaseError):
    """SQLSTATE 72000: snapshot too old."""

class ConfigFileError(OperationalError):
    """SQLSTATE F0000: config file error."""

class LockFileExists(OperationalError):
    """SQLSTATE F0001: lock file exists."""

class FdwError(OperationalError):
    """SQLSTATE HV000: fdw error."""

class FdwOutOfMemory(OperationalError):
    """SQLSTATE HV001: fdw out of memory."""

class FdwDynamicParameterValueNeeded(OperationalError):
    """SQLSTATE HV002: fdw dynamic parameter value needed."""

class FdwInvalidDataType(OperationalError):
    """SQLSTATE HV004: fdw invalid data type."""

class FdwColumnNameNotFound(OperationalError):
    """SQLSTATE HV005: fdw column name not found."""

class FdwInvalidDataTypeDescriptors(OperationalError):
    """SQLSTATE HV006: fdw invalid data type descriptors."""

class FdwInvalidColumnName(OperationalError):
    """SQLSTATE HV007: fdw invalid column name."""

class FdwInvalidColumnNumber(OperationalError):
    """SQLSTATE HV008: fdw invalid column number."""

class FdwInvalidUseOfNullPointer(OperationalError):
    """SQLSTATE HV009: fdw invalid use of null pointer."""

class FdwInvalidStringFormat(OperationalError):
    """SQLSTATE HV00A: fdw invalid string format."""

class FdwInvalidHandle(OperationalError):
    """SQLSTATE HV00B: fdw invalid handle."""

class FdwInvalidOptionIndex(OperationalError):
    """SQLSTATE HV00C: fdw invalid option index."""

class FdwInvalidOptionName(OperationalError):
    """SQLSTATE HV00D: fdw invalid option name."""

class FdwOptionNameNotFound(OperationalError):
    """SQLSTATE HV00J: fdw option name not found."""

class FdwReplyHandle(OperationalError):
    """SQLSTATE HV00K: fdw reply handle."""

class FdwUnableToCreateExecution(OperationalError):
    """SQLSTATE HV00L: fdw unable to create execution."""

class FdwUnableToCreateReply(OperationalError):
    """SQLSTATE HV00M: fdw unable to create reply."""

class FdwUnableToEstablishConnection(OperationalError):
    """SQLSTATE HV00N: fdw unable to establish connection."""

class FdwNoSchemas(OperationalError):
    """SQLSTATE HV00P: fdw no schemas."""

class FdwSchemaNotFound(OperationalError):
    """SQLSTATE HV00Q: fdw schema not found."""

class FdwTableNotFound(OperationalError):
    """SQLSTATE HV00R: fdw table not found."""

class FdwFunctionSequenceError(OperationalError):
    """SQLSTATE HV010: fdw function sequence error."""

class FdwTooManyHandles(OperationalError):
    """SQLSTATE HV014: fdw too many handles."""

class FdwInconsistentDescriptorInformation(OperationalError):
    """SQLSTATE HV021: fdw inconsistent descriptor information."""

class FdwInvalidAttributeValue(OperationalError):
    """SQLSTATE HV024: fdw invalid attribute value."""

class FdwInvalidStringLengthOrBufferLength(OperationalError):
    """SQLSTATE HV090: fdw invalid string length or buffer length."""

class FdwInvalidDescriptorFieldIdentifier(OperationalError):
    """SQLSTATE HV091: fdw invalid descriptor field identifier."""

class PlpgsqlError(ProgrammingError):
    """SQLSTATE P0000: plpgsql error."""

class RaiseException(ProgrammingError):
    """SQLSTATE P0001: raise exception."""

class NoDataFound(ProgrammingError):
    """SQLSTATE P0002: no data found."""

class TooManyRows(ProgrammingError):
    """SQLSTATE P0003: too many rows."""

class AssertFailure(ProgrammingError):
    """SQLSTATE P0004: assert failure."""

class InternalError_(InternalError):
    """SQLSTATE XX000: internal error."""

class DataCorrupted(InternalError):
    """SQLSTATE XX001: data corrupted."""

class IndexCorrupted(InternalError):
    """SQLSTATE XX002: index corrupted."""
